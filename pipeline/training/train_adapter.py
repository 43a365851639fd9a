"""What train_sft.py and train_dpo.py share: run swift from the newest checkpoint on, and publish what it made.

Whatever stands after `--` goes to swift as it is. Checkpoints lie in a folder named by a digest of the
prompt's date, the number of processes, the flags, the model and the data: a run never goes on from a
checkpoint that others made.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pipeline.files.json_files import run_digest
from pipeline.files.json_lines import iterate_json_lines, trim_log
from pipeline.gates import put_gate, read_gates, require_gates, write_gates
from pipeline.graph.code_of import code_of
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.contract import Contract
from pipeline.launch.on_nodes import launcher, rendezvous, stop_on_sigterm
from pipeline.launch.plugins import plugin_files, training_plugins
from pipeline.launch.run_swift import run_swift, swift_environment
from pipeline.models.model_gate import judge_files
from pipeline.preferences.rated_answers import write_rated_answers
from pipeline.settings.given_flags import flag_value, rlhf_type
from pipeline.training.checkpoints import claim_folder, newest_checkpoint, require_room, set_aside_other_code
from pipeline.training.command import swanlab_host, tracking_of, training_command
from pipeline.training.machine import note_start, write_machine, write_speed
from pipeline.training.publish import REPORTED, publish, require_last_step
from pipeline.training.reference_cache import reference_digest


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


def train_adapter(rule: str, args: argparse.Namespace, start: list[str], reference: str, *inputs: Path) -> None:
    """Train as a rule asks, and write everything that `args` names.

    `reference` says in words which model log-probabilities are compared with. `inputs` are files beside the
    data on which the training depends.
    """
    claims = claim_gpus(args.gpus, "train.gpus")
    each = args.gpus or args.cpu_processes
    # The order counts: under another name, a training that was stopped begins anew.
    settings = [args.prompt_date, str(args.nodes * each), *start, *args.flags, *args.fast]
    checkpoints = args.checkpoints / run_digest(settings, args.model_manifest, args.train, args.val, *inputs)
    claim_folder(checkpoints)
    code = code_of(rule, plugin_files(training_plugins(args.fast, args.tracking_mode != "disabled")))
    set_aside_other_code(checkpoints, code)
    began = note_start(args.machine, args.speed)
    newest = newest_checkpoint(checkpoints)
    trim_log(checkpoints / "logging.jsonl")

    sides = write_sides(args, checkpoints)
    contract = Contract(
        checkpoints,
        *count_rows(*sides, args.flags),
        gates=args.gate_settings | {"reference": reference, "asked": decides_on_the_first_loss(args.flags)},
        tracking=tracking_of(args, checkpoints),
        reference_folder=kept_reference(args, code, *inputs),
    )
    if not newest:
        contract.gates_file.unlink(missing_ok=True)
    judge_model(args, contract.gates_file)
    stop_on_sigterm(contract.stop_file)
    command = training_command(args, start, sides, checkpoints)
    environment = swift_environment(
        args.prompt_date, 0 if args.gpus else 1, {"NPROC_PER_NODE": str(each)} | swanlab_host(args)
    )
    own = contract.write() | rendezvous(args.nodes)
    resume = ["--resume_from_checkpoint", str(newest)] if newest else []
    try:
        run_swift([*command, *resume], environment | own, launcher(args.nodes), claims, checkpoints / "attempts.log")
    except SystemExit:
        write_gates(args.gates, read_gates(contract.gates_file))
        require_gates(args.gates)
        require_room(checkpoints)
        raise
    last = require_last_step(checkpoints)
    write_speed(args.speed, checkpoints / "logging.jsonl")
    write_machine(args.machine, began, args.nodes, args.gpus)
    publish(args, contract, last, command, environment)


def write_sides(args: argparse.Namespace, checkpoints: Path) -> tuple[Path, Path]:
    """Return the files of rows that the trainer reads; KTO has a row for each answer of a pair."""
    if rlhf_type(args.flags) != "kto":
        return args.train, args.val
    return write_rated_answers(args.train, checkpoints), write_rated_answers(args.val, checkpoints)


def count_rows(train: Path, val: Path, flags: list[str]) -> tuple[int, int]:
    """Return how many rows the trainer has to load: training, held-out."""
    held_out = [] if flag_value(flags, "eval_strategy") == "no" else iterate_json_lines(val)
    return sum(1 for _ in iterate_json_lines(train)), sum(1 for _ in held_out)


def decides_on_the_first_loss(flags: list[str]) -> dict[str, Any]:
    """Return what the first loss depends on beside what the trainer knows (first_loss.py)."""
    return {"rlhf_type": rlhf_type(flags), "init_weights": flag_value(flags, "init_weights")}


def judge_model(args: argparse.Namespace, gates: Path) -> None:
    """Stop with one line if the files of the model, or of the SFT adapter, are not those of its manifest."""
    put_gate(gates, judge_files("model_files", args.model, args.model_manifest))
    if args.sft_adapter:
        put_gate(gates, judge_files("sft_adapter_files", args.sft_adapter, args.sft_manifest))
    write_gates(args.gates, read_gates(gates))
    require_gates(args.gates, REPORTED)


def kept_reference(args: argparse.Namespace, code: list[str], *inputs: Path) -> str | None:
    """Return where plugins/fast/cached_reference.py keeps what it computes, if it is wanted."""
    if "cached_reference" not in args.fast:
        return None
    processes = args.nodes * (args.gpus or args.cpu_processes)
    return str(
        args.reference
        / reference_digest(args.prompt_date, processes, args.fast, args.flags, code, args.model_manifest, *inputs)
    )
