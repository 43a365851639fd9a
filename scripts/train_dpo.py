"""Train a LoRA adapter with `swift rlhf --rlhf_type dpo`, going on from the newest checkpoint of the same run.

    envs/with-training python scripts/train_dpo.py --model results/tiny/model … -- --learning_rate 0.0004 …

Whatever stands after `--` goes to swift as it is. Checkpoints lie in a folder named by a digest of the
prompt's date, the number of processes, the flags, the model and the data: a run never goes on from a
checkpoint that others made.
"""

import argparse
import socket
from pathlib import Path

from folder_manifest import write_manifest
from json_lines import iterate_json_lines, write_json_lines
from run_swift import plugin_flags, require_gpus, run_swift, swift_environment
from training_record import (
    copy_adapter,
    newest_checkpoint,
    read_curves,
    read_settings,
    run_digest,
    write_json,
)

PLUGIN_NAMES = ("cpu_zero3", "fp32_logps", "count_rows")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line; what follows `--` is in `flags`."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the model to tune")
    parser.add_argument("--model-manifest", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True, help="folder for the adapter")
    parser.add_argument("--manifest", type=Path, required=True, help="SHA-256 of the adapter's files")
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True, help="all that was in force")
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--gpus", type=int, required=True, help="0 trains on the CPU")
    parser.add_argument("--cpu-processes", type=int, required=True)
    parser.add_argument("--prompt-date", required=True, help="YYYY-MM-DD")
    parser.add_argument("--run", required=True, help="name of the run in SwanLab")
    parser.add_argument("--tracking-mode", required=True)
    parser.add_argument("--tracking-project", required=True)
    parser.add_argument("--tracking-host")
    parser.add_argument("--tracking-folder", type=Path, required=True)
    parser.add_argument("flags", nargs="+", help="flags of swift rlhf, after --")
    return parser.parse_args(argv)


def tracking_environment(args: argparse.Namespace) -> dict[str, str]:
    """Return what plugins/swanlab_run.py reads."""
    if args.tracking_mode == "disabled":
        return {}
    host = {"SWANLAB_API_HOST": args.tracking_host} if args.tracking_host else {}
    return host | {
        "TRACKING_MODE": "online" if args.tracking_mode == "cloud" else args.tracking_mode,
        "TRACKING_FOLDER": str(args.tracking_folder),
        "TRACKING_PROJECT": args.tracking_project,
        "TRACKING_NAME": args.run,
    }


def training_command(args: argparse.Namespace, checkpoints: Path) -> list[str]:
    """Return the arguments of `swift`."""
    tracked = args.tracking_mode != "disabled"
    plugins = [*PLUGIN_NAMES, "swanlab_run"] if tracked else [*PLUGIN_NAMES]
    return [
        *("rlhf", "--rlhf_type", "dpo", "--model", str(args.model), "--dataset", str(args.train)),
        *(["--val_dataset", str(args.val)] if flag_value(args.flags, "eval_strategy") != "no" else []),
        *args.flags,
        *("--output_dir", str(checkpoints), "--add_version", "false", "--check_model", "false"),
        *("--strict", "true", "--report_to", "swanlab" if tracked else "none"),
        *(["--swanlab_project", args.tracking_project] if tracked else []),
        *plugin_flags(*plugins),
    ]


def count_rows(args: argparse.Namespace) -> dict[str, str]:
    """Return what plugins/count_rows.py reads: how many pairs the trainer has to load."""
    held_out = [] if flag_value(args.flags, "eval_strategy") == "no" else iterate_json_lines(args.val)
    rows = {"TRAIN_ROWS": iterate_json_lines(args.train), "VAL_ROWS": held_out}
    return {name: str(sum(1 for _ in pairs)) for name, pairs in rows.items()}


def flag_value(flags: list[str], name: str) -> str | None:
    """Return the value that follows a flag, or None without it."""
    return flags[flags.index(f"--{name}") + 1] if f"--{name}" in flags else None


def free_port() -> int:
    """Return a port that nobody listens on, so that two trainings on a machine do not meet."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    require_gpus(args.gpus, "train.gpus")
    processes = args.gpus or args.cpu_processes
    settings = [args.prompt_date, str(processes), *args.flags]
    checkpoints = args.checkpoints / run_digest(settings, args.model_manifest, args.train, args.val)
    command = training_command(args, checkpoints)
    threads = 0 if args.gpus else 1
    extra = {"NPROC_PER_NODE": str(processes)} | count_rows(args) | tracking_environment(args)
    environment = swift_environment(args.prompt_date, threads, extra)

    newest = newest_checkpoint(checkpoints)
    resume = ["--resume_from_checkpoint", str(newest)] if newest else []
    run_swift([*command, *resume], environment | {"MASTER_PORT": str(free_port())})

    last = newest_checkpoint(checkpoints)
    assert last, "swift ended well without a checkpoint"
    copy_adapter(last, args.adapter, args.model)
    write_manifest(args.adapter, args.manifest)
    write_json_lines(args.curves, read_curves(checkpoints / "logging.jsonl"))
    write_json(args.settings, read_settings(last, command, environment))


if __name__ == "__main__":
    main()
