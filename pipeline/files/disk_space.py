"""Stop before a model is written that its disk cannot hold."""

import shutil
import sys
from pathlib import Path

GIB = 2**30


def require_space(needed: int, folder: Path, taken: str) -> None:
    """Stop with one line if the disk of `folder` cannot hold the bytes that are `needed`.

    `taken` says what takes them, with a place for the GiB: "the merge takes {:.1f} GiB".
    """
    if (free := shutil.disk_usage(folder).free) < needed:
        sys.exit(
            f"{folder}: {free / GIB:.1f} GiB free, but {taken.format(needed / GIB)}; "
            "make room, or let results/ be a link to a larger disk"
        )
