"""Train a LoRA adapter with `swift rlhf --rlhf_type dpo`, going on from the newest checkpoint of the same run.

    envs/with-training python scripts/train_dpo.py --model results/tiny/model … -- --learning_rate 0.0004 …

Whatever stands after `--` goes to swift as it is. Checkpoints lie in a folder named by a digest of the
flags, the model and the data, so that a run never goes on from a checkpoint that others made.
"""

import argparse
import hashlib
import json
import os
import shutil
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

from folder_manifest import file_sha256, write_manifest
from run_swift import plugin_flags, require_gpus, run_swift, swift_environment

PLUGIN_NAMES = ("no_remote_code", "cpu_zero3", "fp32_logps", "frozen_date")
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
PACKAGES = ("ms-swift", "torch", "transformers", "peft", "trl", "deepspeed", "accelerate", "swanlab")
# Keys of ms-swift's log that hold times or repeat the step; a curve is the same on every day.
NOT_CURVES = ("global_step/max_steps", "elapsed_time", "remaining_time", "train_speed(s/it)", "memory(GiB)")
TIMES = ("_runtime", "_per_second")


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


def run_digest(flags: list[str], *files: Path) -> str:
    """Return a short name for these flags and the contents of these files."""
    state = hashlib.sha256(json.dumps([flags, *map(file_sha256, files)]).encode())
    return state.hexdigest()[:12]


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint with the most steps. The trainer writes trainer_state.json last."""
    found = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(found, key=lambda checkpoint: int(checkpoint.name.split("-")[1]), default=None)


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


def flag_value(flags: list[str], name: str) -> str | None:
    """Return the value that follows a flag, or None without it."""
    return flags[flags.index(f"--{name}") + 1] if f"--{name}" in flags else None


def free_port() -> int:
    """Return a port that nobody listens on, so that two trainings on a machine do not meet."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def read_curves(log: Path) -> list[dict[str, Any]]:
    """Return the rows of ms-swift's logging.jsonl without times: a row a step, training before held-out.

    A resumed training repeats the steps after its checkpoint; the last row of a step is the one that counts.
    """
    rows: dict[tuple[int, bool], dict[str, Any]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "global_step/max_steps" not in row or "train_runtime" in row:
            continue
        step = int(row["global_step/max_steps"].split("/")[0])
        kept = {k: v for k, v in row.items() if k not in NOT_CURVES and not k.endswith(TIMES)}
        rows[step, "eval_loss" in row] = {"step": step} | kept
    return [rows[key] for key in sorted(rows)]


def read_settings(checkpoint: Path, command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Return all that was in force: the command, ms-swift's own record of every argument, versions.

    Paths below the working folder become relative, so that two clones write the same bytes.
    """
    here = f"{Path.cwd()}{os.sep}"
    arguments = (checkpoint / "args.json").read_text(encoding="utf-8").replace(here, "")
    return {
        "command": ["swift", *command],
        "environment": environment,
        "versions": {name: version(name) for name in PACKAGES},
        "arguments": json.loads(arguments),
    }


def publish(args: argparse.Namespace, checkpoint: Path, settings: dict[str, Any]) -> None:
    """Copy what the next stages and readers need out of the last checkpoint."""
    shutil.rmtree(args.adapter, ignore_errors=True)
    args.adapter.mkdir(parents=True)
    for name in ADAPTER_FILES:
        shutil.copyfile(checkpoint / name, args.adapter / name)
    config = json.loads((args.adapter / ADAPTER_FILES[0]).read_text(encoding="utf-8"))
    # peft lists the modules of a set in an order that changes from process to process.
    config |= {"target_modules": sorted(config["target_modules"]), "base_model_name_or_path": str(args.model)}
    write_json(args.adapter / ADAPTER_FILES[0], config)
    write_json(args.settings, settings)
    rows = read_curves(checkpoint.parent / "logging.jsonl")
    args.curves.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    write_manifest(args.adapter, args.manifest)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a value as indented JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    require_gpus(args.gpus, "train.gpus")
    digest = run_digest(args.flags, args.model_manifest, args.train, args.val)
    checkpoints = args.checkpoints / digest
    command = training_command(args, checkpoints)
    processes = args.gpus or args.cpu_processes
    threads = 0 if args.gpus else 1
    extra = {"NPROC_PER_NODE": str(processes)} | tracking_environment(args)
    environment = swift_environment(args.prompt_date, threads, extra)

    newest = newest_checkpoint(checkpoints)
    resume = ["--resume_from_checkpoint", str(newest)] if newest else []
    run_swift([*command, *resume], environment | {"MASTER_PORT": str(free_port())})

    last = newest_checkpoint(checkpoints)
    assert last, "swift ended well without a checkpoint"
    publish(args, last, read_settings(last, command, environment))


if __name__ == "__main__":
    main()
