"""What train_sft.py and train_dpo.py share: run swift from the newest checkpoint on, and publish what it made.

Checkpoints lie in a folder named by a digest of the prompt's date, the number of processes, the flags, the model and
the data: a run never goes on from a checkpoint of another one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.files.json_lines import iterate_json_lines, trim_log
from pipeline.gates import put_gate, read_gates, require_gates, write_gates
from pipeline.graph.code_of import code_of
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.contract import Contract
from pipeline.launch.on_nodes import launcher, rendezvous, stop_on_sigterm
from pipeline.launch.plugins import plugin_files
from pipeline.launch.run_swift import run_swift, swift_environment
from pipeline.models.model_gate import judge_files
from pipeline.models.swift_rows import write_swift_rows
from pipeline.preferences.rated_answers import rated_answers
from pipeline.training.checkpoints import claim_folder, newest_checkpoint, require_room, set_aside_other_code
from pipeline.training.command import swanlab_host, tracking_of, training_command
from pipeline.training.machine import note_start, write_machine, write_speed
from pipeline.training.publish import GATES, REPORTED, publish, require_last_step
from pipeline.training.reference_cache import reference_digest
from pipeline.training.training import Training

SIDES = ("train.jsonl", "val.jsonl")


def train_adapter(training: Training) -> None:
    """Train as a rule asks, and write the results into `out`."""
    claims = claim_gpus(training.gpus, "train.gpus")
    folder = training.checkpoints / training.digest()
    claim_folder(folder)
    code = code_of(training.rule, plugin_files(training.plugins))
    set_aside_other_code(folder, code)
    for place in (training.out, training.machine.parent):
        place.mkdir(parents=True, exist_ok=True)
    began = note_start(training.machine, training.speed)
    newest = newest_checkpoint(folder)
    trim_log(folder / "logging.jsonl")

    sides = write_sides(training, folder)
    contract = write_contract(training, sides, code, folder)
    if not newest:
        contract.gates_file.unlink(missing_ok=True)
    stop_on_sigterm(contract.stop_file)
    command = training_command(training, sides, folder)
    environment = training_environment(training)
    resume = ["--resume_from_checkpoint", str(newest)] if newest else []
    run_training(training, contract, [*command, *resume], environment, claims)
    last = require_last_step(folder)
    write_speed(training.speed, folder / "logging.jsonl")
    write_machine(training.machine, began, training.nodes, training.gpus)
    publish(training, contract, last, command, environment)


def write_sides(training: Training, folder: Path) -> list[Path]:
    """Write the rows that the trainer reads, and return the files; KTO has a row for each answer of a pair."""
    sides = [iterate_json_lines(side) for side in training.pairs]
    if training.kind == "kto":
        sides = [(row for pair in side for row in rated_answers(pair)) for side in sides]
    return [write_swift_rows(folder / name, side) for name, side in zip(SIDES, sides, strict=True)]


def write_contract(training: Training, sides: list[Path], code: list[str], folder: Path) -> Contract:
    """Return the contract of the training."""
    # On these the first loss depends, beside what the trainer knows (first_loss.py).
    asked = {"rlhf_type": training.kind or "sft", "init_weights": training.dpo.get("init_weights")}
    train, val = sides
    return Contract(
        folder,
        train_rows=count_rows(train),
        val_rows=count_rows(val) if training.holds_out else 0,
        gates=training.settings["gates"] | {"reference": training.reference_model, "asked": asked},
        tracking=tracking_of(training, folder),
        reference_folder=reference_folder(training, code),
        experts_at_once=training.small["experts_at_once"],
    )


def count_rows(file: Path) -> int:
    """Return the number of rows that the trainer has to load from a file."""
    return sum(1 for _ in iterate_json_lines(file))


def reference_folder(training: Training, code: list[str]) -> str | None:
    """Return where plugins/fast/cached_reference.py keeps what it computes, if that lever is on."""
    if "cached_reference" not in training.levers:
        return None
    assert training.reference, "train.fast.cached_reference needs --reference"
    return str(training.reference / reference_digest(training, code))


def training_environment(training: Training) -> dict[str, str]:
    """Return the variables of the swift command, the same for every attempt."""
    each = training.processes // training.nodes
    extra = {"NPROC_PER_NODE": str(each)} | swanlab_host(training)
    return swift_environment(training.prompt, 0 if training.gpus else 1, extra)


def judge_model(training: Training, gates: Path) -> None:
    """Stop with one line if the files of the model, or of the SFT adapter, are not those of its manifest."""
    model, *adapter = training.manifests
    put_gate(gates, judge_files("model_files", training.model, model))
    if training.sft_adapter:
        put_gate(gates, judge_files("sft_adapter_files", training.sft_adapter, *adapter))
    require_gates(gates, REPORTED)


def run_training(
    training: Training, contract: Contract, command: list[str], environment: Mapping[str, str], claims: Sequence[int]
) -> None:
    """Run swift; where it fails, stop with one line: a gate that failed, a full disk, or what swift said."""
    own = contract.write() | rendezvous(training.nodes)
    attempts = contract.folder / "attempts.log"
    try:
        judge_model(training, contract.gates_file)
        run_swift(command, {**environment, **own}, launcher(training.nodes), claims, attempts)
    except SystemExit:
        write_gates(training.out / GATES, read_gates(contract.gates_file))
        require_gates(training.out / GATES)
        require_room(contract.folder)
        raise
