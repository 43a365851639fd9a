"""Replace records of Snakemake that are links into DVC's cache by copies.

With a cache of hard or symbolic links, a record that DVC checked out is the object in DVC's cache, and Snakemake
writes records in place. Writing would damage the cache. Records are small, and checking them costs little.
"""

import os
from pathlib import Path


def unshare_records(folder: Path) -> None:
    """Replace every record that is a link, or that has another name elsewhere, by a copy."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        linked = [
            Path(entry) for entry in entries if entry.is_symlink() or (entry.is_file() and entry.stat().st_nlink > 1)
        ]
    for path in linked:
        copy = path.with_name(f"{path.name}.tmp")
        copy.write_bytes(path.read_bytes())
        copy.replace(path)
