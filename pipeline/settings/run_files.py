"""Where a run keeps what: the fixed names of its files, for scripts that are given its folders."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path


class RunFiles:
    """The files of a run: in its own folder, in that of the run that trained its model, in what all points share."""

    def __init__(self, run: Path, training: Path | None = None, shared: Path | None = None) -> None:
        training, shared = training or run, shared or run
        self.name = run.name
        self.trained_here = run == training

        self.pairs = shared / "data" / "pairs.jsonl"
        self.quality = shared / "data" / "quality.json"
        self.val_quality = shared / "data" / "held_out" / "quality.json"  # only with data.val
        self.analyses = {
            side: shared / "data" / "analyses" / f"{side}.json" for side in ("train", "val")
        }  # if asked for
        self.model = shared / "model.sha256"
        self.tokens = shared / "dpo" / "tokens.json"
        self.train = shared / "dpo" / "train.jsonl"
        self.val = shared / "dpo" / "val.jsonl"
        self.sft_curves = shared / "sft" / "curves.jsonl"

        self.in_force = training / "dpo" / "settings.json"
        self.curves = training / "dpo" / "curves.jsonl"
        self.training_metrics = training / "dpo" / "metrics.json"
        self.coverage = training / "dpo" / "lora_coverage.csv"
        self.adapter = training / "dpo" / "adapter.sha256"
        self.merged = training / "merged"
        self.merged_manifest = training / "merged.sha256"

        self.metrics = run / "evaluate" / "metrics.json"
        self.answers = run / "evaluate" / "answers.jsonl"
        self.infer = run / "infer"  # with a folder for each of infer.prompts

        # Logs of other rules, and so no inputs: a stage that the run does not have has no gates.
        self.logs = {"sft": shared / "logs", "dpo": training / "logs"}
        self.gates = [
            *((stage, shared / stage / "gates.json") for stage in ("data", "sft", "sft/merge")),
            *((stage, training / stage / "gates.json") for stage in ("dpo", "merge")),
            ("infer", self.infer / "gates.json"),
            ("evaluate", run / "evaluate" / "gates.json"),
            ("evaluate/neutral", run / "evaluate" / "neutral" / "gates.json"),
        ]


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the folders of a run to a command line."""
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--training", type=Path, help="folder of the run that trained its model, if it is another")
    parser.add_argument("--shared", type=Path, help="folder of what all points of a sweep share, if it is another")


def files_of(args: argparse.Namespace) -> RunFiles:
    """Return the files of the run that a command line names."""
    return RunFiles(args.run, args.training, args.shared)


def require_files(paths: Iterable[Path]) -> None:
    """Stop with one line if a file is missing."""
    for path in paths:
        if not path.is_file():
            sys.exit(f"{path}: no such file; run the stage that writes it")
