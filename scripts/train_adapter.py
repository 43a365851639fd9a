"""What train_sft.py and train_dpo.py share: run swift from the newest checkpoint on, and publish what it made.

Whatever stands after `--` goes to swift as it is. Checkpoints lie in a folder named by a digest of the
prompt's date, the number of processes, the flags, the model and the data: a run never goes on from a
checkpoint that others made.
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from check_losses import REFERENCED
from checkpoints import claim_folder, newest_checkpoint, require_room, set_aside_other_code, trim_log
from claim_gpus import claim_gpus
from code_of import code_of
from folder_manifest import write_manifest
from gates import Gate, gate, put_gate, read_gates, require_gates, write_gates
from json_lines import iterate_json_lines, write_json_lines
from judge_curves import judge_chosen, judge_collapse, judge_finite
from model_gate import judge_files
from rated_answers import write_rated_answers
from record_machine import note_start, write_machine, write_speed
from run_swift import run_swift, swift_environment
from swift_plugins import plugin_files, plugin_flags, training_plugins
from training_record import (
    copy_adapter,
    differing_flags,
    read_curves,
    read_settings,
    run_digest,
    write_json,
)

# A scheduler asks all processes of a job to end, and torchrun would then end the training within half a minute. The
# signal is for this process alone, which has the training stop with a checkpoint (plugins/stop_in_time.py).
DEAF = ("env", "--ignore-signal=TERM")
DEAF_TORCHRUN = {"PET_SIGNALS_TO_HANDLE": "SIGINT,SIGHUP,SIGQUIT"}
# A process that crashes in compiled code says in the log where it was.
WHERE_IT_CRASHED = {"PYTHONFAULTHANDLER": "1"}
# A process that waits so long for another gives up, and says for whom it waited. ms-swift's own limit is half a year.
SILENCE_SECONDS = 3600
# On what the reference's log-probabilities of a pair depend, beside the models and the prompt's date: precision, what
# is read, what LoRA makes of the base model, and, in the last bits, which pairs are computed together.
REFERENCE_FLAGS = (
    *("torch_dtype", "bf16", "fp16", "attn_impl", "experts_impl", "loss_scale", "max_length", "truncation_strategy"),
    *("init_weights", "lora_rank", "target_modules", "target_parameters"),
    *("per_device_train_batch_size", "per_device_eval_batch_size", "eval_on_start", "seed", "data_seed"),
    *("dataset_shuffle", "train_dataloader_shuffle"),
)
REPORTED = ("loss_collapse", "chosen_log_probability")  # stop a run only where gates.collapse says so


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a training reads and writes."""
    parser.add_argument("--model", type=Path, required=True, help="folder of the model to tune")
    parser.add_argument("--model-manifest", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True, help="folder for the adapter")
    parser.add_argument("--manifest", type=Path, required=True, help="SHA-256 of the adapter's files")
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--coverage", type=Path, required=True, help="table of what the LoRA trains")
    parser.add_argument("--settings", type=Path, required=True, help="all that was in force")
    parser.add_argument("--gates", type=Path, required=True, help="what the training proved of itself")
    parser.add_argument("--gate-settings", type=json.loads, required=True, help="gates of config.yaml, as JSON")
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--machine", type=Path, required=True, help="where it was trained, when, and from which code")
    parser.add_argument("--speed", type=Path, required=True, help="seconds and memory of each logged step")
    parser.add_argument("--nodes", type=int, default=1, help="machines that train together, as a job of Slurm")
    parser.add_argument("--gpus", type=int, required=True, help="of each machine; 0 trains on the CPU")
    parser.add_argument("--cpu-processes", type=int, required=True)
    parser.add_argument("--prompt-date", required=True, help="YYYY-MM-DD")
    parser.add_argument("--run", required=True, help="name of the run in SwanLab")
    parser.add_argument("--tracking-mode", required=True)
    parser.add_argument("--tracking-project", required=True)
    parser.add_argument("--tracking-host")
    parser.add_argument("--tracking-folder", type=Path, required=True)
    parser.add_argument("flags", nargs="+", help="flags of swift, after --")
    parser.set_defaults(fast=[], sft_adapter=None)


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


def training_command(args: argparse.Namespace, start: list[str], checkpoints: Path) -> list[str]:
    """Return the arguments of `swift`; `start` is what makes it this kind of training."""
    tracked = args.tracking_mode != "disabled"
    return [
        *(*start, "--model", str(args.model), "--dataset", str(args.train)),
        *(["--val_dataset", str(args.val)] if flag_value(args.flags, "eval_strategy") != "no" else []),
        *args.flags,
        *("--output_dir", str(checkpoints), "--add_version", "false", "--check_model", "false"),
        *("--ddp_timeout", str(SILENCE_SECONDS), "--strict", "true", "--report_to", "swanlab" if tracked else "none"),
        *(["--swanlab_project", args.tracking_project] if tracked else []),
        *plugin_flags(training_plugins(args.fast, tracked)),
    ]


def count_rows(args: argparse.Namespace) -> dict[str, str]:
    """Return what plugins/count_rows.py reads: how many rows the trainer has to load."""
    held_out = [] if flag_value(args.flags, "eval_strategy") == "no" else iterate_json_lines(args.val)
    rows = {"TRAIN_ROWS": iterate_json_lines(args.train), "VAL_ROWS": held_out}
    return {name: str(sum(1 for _ in pairs)) for name, pairs in rows.items()}


def flag_value(flags: list[str], name: str) -> str | None:
    """Return the value that follows a flag, or None without it."""
    return flags[flags.index(f"--{name}") + 1] if f"--{name}" in flags else None


def flag_values(flags: list[str], name: str) -> list[str]:
    """Return the values that follow a flag, which may have several."""
    if f"--{name}" not in flags:
        return []
    rest = flags[flags.index(f"--{name}") + 1 :]
    return rest[: next((i for i, word in enumerate(rest) if word.startswith("--")), len(rest))]


def free_port() -> int:
    """Return a port that nobody listens on, so that two trainings on a machine do not meet."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def train_adapter(rule: str, args: argparse.Namespace, start: list[str], reference: str, *inputs: Path) -> None:
    """Train as a rule asks, and write everything that `args` names.

    `reference` says in words which model log-probabilities are compared with. `inputs` are files beside the
    data on which the training depends.
    """
    claims = claim_gpus(args.gpus, "train.gpus")
    each = args.gpus or args.cpu_processes
    settings = [args.prompt_date, str(args.nodes * each), *start, *args.flags, *args.fast]
    checkpoints = args.checkpoints / run_digest(settings, args.model_manifest, args.train, args.val, *inputs)
    lock = claim_folder(checkpoints)
    code = code_of(rule, plugin_files(training_plugins(args.fast, args.tracking_mode != "disabled")))
    set_aside_other_code(checkpoints, code)
    if flag_value(args.flags, "rlhf_type") == "kto":
        args.train, args.val = (write_rated_answers(pairs, checkpoints) for pairs in (args.train, args.val))
    command = training_command(args, start, checkpoints)
    asked = {"rlhf_type": rlhf_type(args.flags), "init_weights": flag_value(args.flags, "init_weights")}
    gates = {"GATES": json.dumps(args.gate_settings | {"reference": reference, "asked": asked})}
    extra = {"NPROC_PER_NODE": str(each)} | count_rows(args) | gates | tracking_environment(args)
    environment = swift_environment(args.prompt_date, 0 if args.gpus else 1, extra)

    began = note_start(args.machine, args.speed)
    newest = newest_checkpoint(checkpoints)
    resume = ["--resume_from_checkpoint", str(newest)] if newest else []
    trim_log(checkpoints / "logging.jsonl")
    found = checkpoints / "gates.json"
    if not newest:
        found.unlink(missing_ok=True)
    judge_model(args, found)
    own = {"MASTER_PORT": str(free_port()), "GATES_FILE": str(found), "STOP_FILE": str(stop_on_sigterm(checkpoints))}
    own |= (
        DEAF_TORCHRUN
        | WHERE_IT_CRASHED
        | {"LOCK_FILE": str(lock), "TRACKING_ID": tracking_id(checkpoints)}
        | meeting_point(args.nodes)
        | kept_reference(args, code, *inputs)
    )
    try:
        launcher = [*on_each_node(args.nodes), *DEAF]
        run_swift([*command, *resume], environment | own, launcher, claims, checkpoints / "attempts.log")
    except SystemExit:
        write_gates(args.gates, read_gates(found))
        require_gates(args.gates)
        require_room(checkpoints)
        raise
    require_last_step(checkpoints)
    write_speed(args.speed, checkpoints / "logging.jsonl")
    write_machine(args.machine, began, args.nodes, args.gpus)
    publish(args, checkpoints, command, environment)


def judge_model(args: argparse.Namespace, gates: Path) -> None:
    """Stop with one line if the files of the model, or of the SFT adapter, are not those of its manifest."""
    put_gate(gates, judge_files("model_files", args.model, args.model_manifest))
    if args.sft_adapter:
        put_gate(gates, judge_files("sft_adapter_files", args.sft_adapter, args.sft_manifest))
    write_gates(args.gates, read_gates(gates))
    require_gates(args.gates, REPORTED)


def kept_reference(args: argparse.Namespace, code: list[str], *inputs: Path) -> dict[str, str]:
    """Return what plugins/fast/cached_reference.py reads: a folder named after all on which the reference depends."""
    if "cached_reference" not in args.fast:
        return {}
    flags = [f"{name} {' '.join(flag_values(args.flags, name))}" for name in REFERENCE_FLAGS]
    processes = str(args.nodes * (args.gpus or args.cpu_processes))
    digest = run_digest([args.prompt_date, processes, *args.fast, *flags, *code], args.model_manifest, *inputs)
    return {"REFERENCE_FOLDER": str(args.reference / digest)}


def meeting_point(nodes: int) -> dict[str, str]:
    """Return what torchrun needs on several nodes: how many there are, and where the first is, which is this one."""
    return {"NNODES": str(nodes), "MASTER_ADDR": socket.gethostname()} if nodes > 1 else {}


def on_each_node(nodes: int) -> list[str]:
    """Return the command that runs another once on each node of this Slurm job; nothing for one node."""
    if nodes == 1:
        return []
    if "SLURM_JOB_ID" not in os.environ:
        sys.exit(f"train.nodes is {nodes}, and this is no job of Slurm; use --profile profiles/slurm, or set it to 1")
    # All CPUs that the job has on a node are for its one task there, which Slurm would otherwise bind to one of them.
    once_each = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--cpu-bind=none"]
    return ["srun", *once_each, "--kill-on-bad-exit=1", "envs/on-node"]


def stop_on_sigterm(checkpoints: Path) -> Path:
    """Let SIGTERM make a file that plugins/stop_in_time.py looks for, and return it."""
    file = checkpoints / "stop"
    file.unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: file.touch())
    return file


def tracking_id(checkpoints: Path) -> str:
    """Return the name under which SwanLab takes this training and the one that was stopped before for one run."""
    file = checkpoints / "tracking_id"
    if not file.exists():
        file.write_text(secrets.token_hex(10), encoding="utf-8")
    return file.read_text(encoding="utf-8")


def require_last_step(checkpoints: Path) -> None:
    """Stop with one line if the training ended before its last step, because it was asked to."""
    last = newest_checkpoint(checkpoints)
    assert last, "swift ended well without a checkpoint"
    state = json.loads((last / "trainer_state.json").read_text(encoding="utf-8"))
    if state["global_step"] < state["max_steps"]:
        sys.exit(
            f"stopped at step {state['global_step']} of {state['max_steps']} with a checkpoint, as SIGTERM asks; "
            "run the same command again to go on"
        )


def rlhf_type(flags: list[str]) -> str:
    """Return which kind of preference training the flags ask for; sft without any."""
    return flag_value(flags, "rlhf_type") or "sft"


def publish(args: argparse.Namespace, checkpoints: Path, command: list[str], environment: dict[str, str]) -> None:
    """Write results from the last checkpoint, and judge the training as a whole before its manifest is written."""
    last = newest_checkpoint(checkpoints)
    assert last, "swift ended well without a checkpoint"
    curves = read_curves(checkpoints / "logging.jsonl")
    in_force = read_settings(last, command, environment)
    write_gates(args.gates, read_gates(checkpoints / "gates.json"))
    for row in [*find_unjudged(args, checkpoints), *judge_whole(args, curves, in_force["arguments"])]:
        put_gate(args.gates, row)
    require_gates(args.gates, () if args.gate_settings["collapse"] == "stop" else REPORTED)

    copy_adapter(last, args.adapter, args.model)
    write_json_lines(args.curves, curves)
    shutil.copyfile(checkpoints / "lora_coverage.csv", args.coverage)
    write_json(args.settings, in_force)
    write_manifest(args.adapter, args.manifest)


def find_unjudged(args: argparse.Namespace, checkpoints: Path) -> list[Gate]:
    """Return a failed gate for each one that should have been judged while the training ran, and was not."""
    names = {"lora_coverage", "first_grad_norm", "rows_trained"}
    if rlhf_type(args.flags) in REFERENCED:
        names |= {"reference", "first_loss"}
    judged = {row["gate"] for row in read_gates(args.gates)}
    mend = f"judged when its step was trained; delete {checkpoints.parent} to train anew"
    return [gate(name, False, "missing", mend) for name in sorted(names - judged)]


def judge_whole(args: argparse.Namespace, curves: list[dict[str, Any]], in_force: dict[str, Any]) -> list[Gate]:
    """Return the gates that need all of the training: its curves, and what ms-swift made of the flags."""
    differing = differing_flags(args.flags, in_force)
    seen = "; ".join(differing) or "as given"
    rows = [judge_finite(curves), gate("settings_in_force", not differing, seen, "as given")]
    if rlhf_type(args.flags) == "sft":
        return rows
    settings = args.gate_settings
    rows.append(judge_collapse(curves, settings["loss_share"], flag_values(args.flags, "loss_type")))
    if rlhf_type(args.flags) in REFERENCED:
        rows.append(judge_chosen(curves, float(flag_value(args.flags, "beta") or 0.1), settings["chosen_fall"]))
    return rows
