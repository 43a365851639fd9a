"""Keep the finished rows of a long job beside its output, so that a job that was killed continues with them.

The file's name has a digest of everything that a row depends on, so that rows of another model or setting are
never mixed in.
"""

import glob
import json
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline.files.json_lines import iterate_json_lines, trim_log, write_json_lines

Row = dict[str, Any]


class FinishedRows:
    """The rows of an output that are finished, by key; threads may add to them."""

    def __init__(self, output: Path, digest: str) -> None:
        self.output = output
        self.path = output.with_name(f"{output.name}.{digest}.begun")
        trim_log(self.path)
        found = iterate_json_lines(self.path) if self.path.exists() else iter(())
        self.rows: dict[str, Row] = {line["key"]: line["row"] for line in found}
        self.lock = Lock()

    def __contains__(self, key: str) -> bool:
        return key in self.rows

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, rows: dict[str, Row]) -> None:
        """Keep these rows, even if this process is killed."""
        lines = [json.dumps({"key": key, "row": row}, ensure_ascii=False) + "\n" for key, row in rows.items()]
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.writelines(lines)
            self.rows |= rows

    def publish(self, rows: Iterable[Row]) -> None:
        """Write the output, and remove what was kept for it under any digest."""
        write_json_lines(self.output, rows)
        for begun in self.output.parent.glob(f"{glob.escape(self.output.name)}.*.begun"):
            begun.unlink()
