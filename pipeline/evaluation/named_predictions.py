"""Predictions of several models for the same prompts, given as name=file."""

import argparse
import sys
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines

Prediction = dict[str, Any]


def named_file(text: str) -> tuple[str, Path]:
    """Return the name and the file of `name=file`."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text}: write name=file, such as dpo=results/tiny/infer/predictions.jsonl")
    return name, Path(path)


def read_predictions(files: list[tuple[str, Path]]) -> dict[str, list[Prediction]]:
    """Return each model's predictions; stop with one line unless all of them answer the same prompts in order."""
    if len({name for name, _ in files}) < len(files):
        sys.exit(f"{' '.join(f'{name}={path}' for name, path in files)}: two files have the same name; rename one")
    for _, path in files:
        if not path.is_file():
            sys.exit(f"{path}: no such file of predictions")
    found = {name: read_json_lines(path) for name, path in files}
    (_, first), *others = files
    prompts = [(row["id"], row["messages"]) for row in found[files[0][0]]]
    if not prompts:
        sys.exit(f"{first}: there is no prediction in it")
    for name, path in others:
        if [(row["id"], row["messages"]) for row in found[name]] != prompts:
            sys.exit(
                f"{path}: not the prompts of {first}, in their order; both must be answers to the same held-out pairs"
            )
    return found
