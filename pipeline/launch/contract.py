"""What a training is told beside its flags: one file, written by who starts it and read by the files of plugins/.

It lies in the folder of the checkpoints, and so do the files by which both sides tell each other something. The
environment variable TRAINING_CONTRACT names it. (What goes into every prompt stays in variables of its own, since
inference reads it, too.)
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "TRAINING_CONTRACT"
NAME = "contract.json"


@dataclass(frozen=True)
class Tracking:
    """The run that SwanLab keeps of a training. `mode` is SwanLab's own word for it, `id` the same after a stop."""

    mode: str
    folder: str
    project: str
    name: str
    id: str

    @classmethod
    def asked(cls, settings: Mapping[str, Any], folder: Path, name: str, run_id: str) -> "Tracking":
        """Return the run as the settings of `tracking` ask for it."""
        mode = "online" if settings["mode"] == "cloud" else settings["mode"]
        return cls(mode, str(folder), settings["project"], name, run_id)


@dataclass(frozen=True)
class Contract:
    """What a training has to keep to.

    `gates` are config.yaml's, with `reference` (in words, which model log-probabilities are compared with) and `asked`
    (what decides on the first loss). `reference_folder` is where fast/cached_reference keeps what the reference says;
    `experts_at_once` are the packed experts of a layer that small/few_experts dequantises at one time.
    """

    folder: Path  # of the checkpoints
    train_rows: int
    val_rows: int
    gates: dict[str, Any] = field(default_factory=dict)
    tracking: Tracking | None = None
    reference_folder: str | None = None
    experts_at_once: int | None = None

    @property
    def gates_file(self) -> Path:
        """What the training has proved of itself so far."""
        return self.folder / "gates.json"

    @property
    def stop_file(self) -> Path:
        """Where this is, the training stops with a checkpoint. envs/on-node makes it, too."""
        return self.folder / "stop"

    def write(self) -> dict[str, str]:
        """Write the file, whole at every time; return the variable that names it."""
        file = self.folder / NAME
        partial = file.with_name(f"{NAME}.partial")
        told = {name: value for name, value in asdict(self).items() if name != "folder"}
        partial.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(file)
        return {VARIABLE: str(file)}

    @classmethod
    def read(cls, file: Path | None = None) -> "Contract":
        """Return the contract of this process, or the one in a file."""
        file = file or Path(os.environ[VARIABLE])
        told = json.loads(file.read_text(encoding="utf-8"))
        tracking = told.pop("tracking")
        return cls(folder=file.parent, tracking=Tracking(**tracking) if tracking else None, **told)

    def record(self) -> dict[str, Any]:
        """Return the part for settings.json: the same on every machine and for every attempt."""
        told = asdict(self)
        del told["folder"], told["reference_folder"], told["experts_at_once"]
        if self.tracking:
            del told["tracking"]["id"]
        return told
