"""The swift command of a training, and what it is told of SwanLab."""

import argparse
import secrets
from pathlib import Path

from pipeline.launch.contract import Tracking
from pipeline.launch.plugins import training_flags
from pipeline.settings.given_flags import flag_value

# A process that waits so long for another gives up, and says for whom it waited. ms-swift's own limit is half a year.
SILENCE_SECONDS = 3600


def training_command(
    args: argparse.Namespace, start: list[str], sides: tuple[Path, Path], checkpoints: Path
) -> list[str]:
    """Return the arguments of `swift`; `start` is what makes it this kind of training, `sides` are its rows."""
    tracked = args.tracking_mode != "disabled"
    train, val = map(str, sides)
    return [
        *(*start, "--model", str(args.model), "--dataset", train),
        *(["--val_dataset", val] if flag_value(args.flags, "eval_strategy") != "no" else []),
        *args.flags,
        *("--output_dir", str(checkpoints), "--add_version", "false", "--check_model", "false"),
        *("--ddp_timeout", str(SILENCE_SECONDS), "--strict", "true", "--report_to", "swanlab" if tracked else "none"),
        *(["--swanlab_project", args.tracking_project] if tracked else []),
        *training_flags(args.fast, tracked),
    ]


def tracking_of(args: argparse.Namespace, checkpoints: Path) -> Tracking | None:
    """Return the run that SwanLab is to keep, if any."""
    if args.tracking_mode == "disabled":
        return None
    mode = "online" if args.tracking_mode == "cloud" else args.tracking_mode
    return Tracking(mode, str(args.tracking_folder), args.tracking_project, args.run, tracking_id(checkpoints))


def swanlab_host(args: argparse.Namespace) -> dict[str, str]:
    """Return SwanLab's own variable for a server that is not its company's."""
    return {"SWANLAB_API_HOST": args.tracking_host} if args.tracking_host and args.tracking_mode != "disabled" else {}


def tracking_id(checkpoints: Path) -> str:
    """Return the name under which SwanLab takes this training and the one that was stopped before for one run."""
    file = checkpoints / "tracking_id"
    if not file.exists():
        file.write_text(secrets.token_hex(10), encoding="utf-8")
    return file.read_text(encoding="utf-8")
