"""Predictions of several models for the same prompts."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines

Prediction = dict[str, Any]


def read_predictions(files: Mapping[str, Path]) -> dict[str, list[Prediction]]:
    """Return each model's predictions; stop with one line unless all of them answer the same prompts in order."""
    for path in files.values():
        if not path.is_file():
            sys.exit(f"{path}: no such file of predictions")
    found = {model: read_json_lines(path) for model, path in files.items()}
    first, *others = files
    prompts = [(row["id"], row["messages"]) for row in found[first]]
    if not prompts:
        sys.exit(f"{files[first]}: no predictions in this file")
    for model in others:
        if [(row["id"], row["messages"]) for row in found[model]] != prompts:
            sys.exit(
                f"{files[model]}: not the prompts of {files[first]}, in their order; "
                "both must be answers to the same held-out pairs"
            )
    return found
