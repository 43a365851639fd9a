"""Results of other programs, evaluate.external: the files of each model."""

from collections.abc import Iterator
from typing import Any


def external_files(config: dict[str, Any]) -> list[str]:
    """Return the files of all models."""
    return [file for files in (config["evaluate"]["external"] or {}).values() for file in files]


def find_external_problems(config: dict[str, Any]) -> Iterator[str]:
    """Yield one line for each reason why the results cannot be those of the run's models."""
    external = config["evaluate"]["external"] or {}
    if external and config["sweep"]:
        yield "evaluate.external: results of one tuned model, and a sweep has several; set evaluate.external to null"
    if "sft" in external and not config["sft"]["enabled"]:
        yield "evaluate.external: sft.enabled is false, so the run has no model sft; take sft out, or set sft.enabled"
