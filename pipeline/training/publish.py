"""What is done when a training has ended: it is judged as a whole, and its results are written."""

import argparse
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
from pipeline.settings.given_flags import flag_value, flag_values, rlhf_type
from pipeline.settings.losses import has_reference
from pipeline.training.checkpoints import newest_checkpoint
from pipeline.training.curve_gates import judge_chosen, judge_collapse, judge_finite
from pipeline.training.record import copy_adapter, differing_flags, read_curves, read_settings

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
    args: argparse.Namespace, contract: Contract, last: Path, command: list[str], environment: dict[str, str]
) -> None:
    """Write results from the last checkpoint, and judge the training as a whole before its manifest is written."""
    curves = read_curves(contract.folder / "logging.jsonl")
    in_force = read_settings(last, command, environment, contract.record())
    write_gates(args.gates, read_gates(contract.gates_file))
    unjudged = find_unjudged(read_gates(args.gates), args.flags, args.checkpoints)
    for row in [*unjudged, *judge_whole(curves, args.flags, args.gate_settings, in_force["arguments"])]:
        put_gate(args.gates, row)
    require_gates(args.gates, () if args.gate_settings["collapse"] == "stop" else REPORTED)

    copy_adapter(last, args.adapter, args.model)
    write_json_lines(args.curves, curves)
    shutil.copyfile(contract.folder / "lora_coverage.csv", args.coverage)
    write_json(args.settings, in_force)
    write_manifest(args.adapter, args.manifest)


def find_unjudged(judged: list[Gate], flags: list[str], checkpoints: Path) -> list[Gate]:
    """Return a failed gate for each one that should have been judged while the training ran, and was not."""
    names = {"lora_coverage", "first_grad_norm", "rows_trained"}
    if has_reference(rlhf_type(flags)):
        names |= {"reference", "first_loss"}
    mend = f"judged when its step was trained; delete {checkpoints} to train anew"
    missing = names - {row["gate"] for row in judged}
    return [gate(name, False, "missing", mend) for name in sorted(missing)]


def judge_whole(
    curves: list[dict[str, Any]], flags: list[str], settings: dict[str, Any], in_force: dict[str, Any]
) -> list[Gate]:
    """Return the gates that need all of the training: its curves, and what ms-swift made of the flags."""
    differing = differing_flags(flags, in_force)
    seen = "; ".join(differing) or "as given"
    rows = [judge_finite(curves), gate("settings_in_force", not differing, seen, "as given")]
    if rlhf_type(flags) == "sft":
        return rows
    rows.append(judge_collapse(curves, settings["loss_share"], flag_values(flags, "loss_type")))
    if has_reference(rlhf_type(flags)):
        rows.append(judge_chosen(curves, float(flag_value(flags, "beta") or 0.1), settings["chosen_fall"]))
    return rows
