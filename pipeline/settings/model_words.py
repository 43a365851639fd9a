"""How command lines name the files of several models: MODEL=FILE[,FILE], in the order in which the models were made."""

import sys
from collections.abc import Sequence
from pathlib import Path

METAVAR = "MODEL=FILE"


def name_files(models: Sequence[str], files: Sequence[str]) -> list[str]:
    """Return a word MODEL=FILE[,FILE] for each model; each has the same number of files, which come in its order."""
    each = len(files) // len(models)
    return [f"{model}={','.join(files[i * each : (i + 1) * each])}" for i, model in enumerate(models)]


def read_files(words: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of each model; stop with one line at a word that names none, or a model a second time."""
    found: dict[str, list[Path]] = {}
    for word in words:
        model, _, files = word.partition("=")
        if not (model and all(files.split(","))):
            sys.exit(f"{word}: give each file with its model's name, as in dpo=results/tiny/infer/predictions.jsonl")
        if model in found:
            sys.exit(f"{word}: {model} is named a second time; give each model another name")
        found[model] = [Path(file) for file in files.split(",")]
    return found


def read_single_files(words: Sequence[str]) -> dict[str, Path]:
    """Return the one file of each model; stop with one line at a model with several."""
    found = read_files(words)
    for model, files in found.items():
        if len(files) > 1:
            sys.exit(f"{model}={','.join(map(str, files))}: give one file of each model")
    return {model: file for model, (file,) in found.items()}
