"""Write the words by which command lines name models and their files."""

import shlex
from collections.abc import Sequence


def model_flags(folder: str, adapter_manifest: str | Sequence[str]) -> str:
    """Return the flags for a model's folder and, if it has a manifest, for the adapter that goes on the model."""
    words = ["--model", folder]
    if adapter_manifest:
        words += ["--adapter", str(adapter_manifest).removesuffix(".sha256")]
    return shlex.join(words)


def name_files(models: Sequence[str], files: Sequence[str]) -> list[str]:
    """Return a word MODEL=FILE[,FILE] for each model; each has the same number of files, which come in its order."""
    each = len(files) // len(models)
    return [f"{model}={','.join(files[i * each : (i + 1) * each])}" for i, model in enumerate(models)]
