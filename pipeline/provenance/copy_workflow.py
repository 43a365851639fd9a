"""Copy a workflow beside its results: its code, the settings of the run, the versions of its packages."""

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from pipeline.provenance.run_records import RecordedJob


def copy_workflow(target: Path, code: list[Path], settings: dict[str, Any], environments: Iterable[str]) -> None:
    """Write a folder, whole or not at all: these files, config.yaml, and a file in envs/ for each environment."""
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for path in code:
        (partial / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, partial / path)
    (partial / "config.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    (partial / "envs").mkdir()
    for text in filter(None, environments):
        (partial / "envs" / name_environment(text)).write_text(text, encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)


def name_environment(text: str) -> str:
    """Return the file name for the text of a conda environment; different texts have different names."""
    source = re.search(r"from (\w+)\.lock", text)
    return f"{source[1] if source else 'environment'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.yaml"


def find_engine(jobs: list[RecordedJob]) -> str | None:
    """Return the version of Snakemake in the environment of the last job that recorded one; None if no job did."""
    found = (re.search(r'"snakemake==([\w.]+)', job.environment) for job in reversed(jobs))
    return next((match[1] for match in found if match), None)
