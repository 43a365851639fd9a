"""What is done when a training has ended: it is judged as a whole, and its results are written."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from pipeline.files.folder_manifest import write_manifest
from pipeline.files.json_files import write_json
from pipeline.files.json_lines import write_json_lines
from pipeline.gates import Gate, gate, put_gate, read_gates, require_gates, write_gates
from pipeline.launch.contract import Contract
from pipeline.launch.model_flags import PROMPT_FLAGS
from pipeline.settings.losses import KINDS, has_reference, loss_names
from pipeline.training.checkpoints import newest_checkpoint
from pipeline.training.curve_gates import judge_chosen, judge_collapse, judge_finite
from pipeline.training.record import copy_adapter, differing_flags, read_curves, read_settings
from pipeline.training.training import Training

# Names of the results in the folder --out, by the names that they have in the rules of trainings.
RESULTS = {
    "adapter": "adapter",
    "manifest": "adapter.sha256",
    "curves": "curves.jsonl",
    "coverage": "lora_coverage.csv",
    "settings": "settings.json",
    "gates": "gates.json",
}
GATES = RESULTS["gates"]
REPORTED = ("loss_collapse", "chosen_log_probability")  # stop a run only where gates.collapse says so


def require_last_step(checkpoints: Path) -> Path:
    """Return the last checkpoint; stop with one line if the training ended before it, because it was asked to."""
    last = newest_checkpoint(checkpoints)
    assert last, "swift ended well without a checkpoint"
    state = json.loads((last / "trainer_state.json").read_text(encoding="utf-8"))
    if state["global_step"] < state["max_steps"]:
        sys.exit(
            f"stopped at step {state['global_step']} of {state['max_steps']} with a checkpoint, as SIGTERM asks; "
            "run the same command again to go on"
        )
    return last


def publish(
    training: Training, contract: Contract, last: Path, command: list[str], environment: dict[str, str]
) -> None:
    """Write results from the last checkpoint, and judge the training as a whole before its manifest is written."""
    results = {name: training.out / file for name, file in RESULTS.items()}
    curves = read_curves(contract.folder / "logging.jsonl")
    in_force = read_settings(last, command, environment, contract.record())
    judged = read_gates(contract.gates_file)
    write_gates(results["gates"], judged)
    for row in [*find_unjudged(judged, training), *judge_whole(curves, training, in_force["arguments"])]:
        put_gate(results["gates"], row)
    require_gates(results["gates"], () if training.settings["gates"]["collapse"] == "stop" else REPORTED)

    copy_adapter(last, results["adapter"], training.model)
    write_json_lines(results["curves"], curves)
    shutil.copyfile(contract.folder / "lora_coverage.csv", results["coverage"])
    write_json(results["settings"], in_force)
    write_manifest(results["adapter"], results["manifest"])


def find_unjudged(judged: list[Gate], training: Training) -> list[Gate]:
    """Return a failed gate for each one that should have been judged while the training ran, and was not."""
    names = {"lora_coverage", "first_grad_norm", "rows_trained"}
    if has_reference(training.kind):
        names |= {"reference", "first_loss"}
    fix = f"judged when its step was trained; delete {training.checkpoints} to train again"
    missing = names - {row["gate"] for row in judged}
    return [gate(name, False, "missing", fix) for name in sorted(missing)]


def judge_whole(curves: list[dict[str, Any]], training: Training, in_force: dict[str, Any]) -> list[Gate]:
    """Return the gates that need all of the training: its curves, and what ms-swift made of the flags."""
    if training.kind and in_force["rlhf_type"] == KINDS[training.kind].recorded_as:
        in_force = in_force | {"rlhf_type": training.kind}
    differing = differing_flags([*training.flags, *PROMPT_FLAGS], in_force)
    seen = "; ".join(differing) or "as given"
    rows = [judge_finite(curves), gate("settings_in_force", not differing, seen, "as given")]
    if training.kind is None:
        return rows
    dpo, wanted = training.dpo, training.settings["gates"]
    rows.append(judge_collapse(curves, wanted["loss_share"], loss_names(dpo["loss_type"])))
    if has_reference(training.kind):
        rows.append(judge_chosen(curves, dpo["beta"], wanted["chosen_fall"]))
    return rows
