"""Predictions of several models for the same prompts."""

import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.evaluation.predictions import Row, read_predictions


def read_named_predictions(files: Mapping[str, Path], kind: type[Row]) -> dict[str, list[Row]]:
    """Return each model's predictions; stop with one line unless all of them answer the same prompts in order."""
    found = {model: list(read_predictions(path, kind)) for model, path in files.items()}
    first, *others = files
    prompts = [(row.id, row.prompt) for row in found[first]]
    if not prompts:
        sys.exit(f"{files[first]}: no predictions in this file")
    for model in others:
        if [(row.id, row.prompt) for row in found[model]] != prompts:
            sys.exit(
                f"{files[model]}: not the prompts of {files[first]}, in their order; "
                "both must be answers to the same held-out pairs"
            )
    return found
