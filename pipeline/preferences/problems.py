"""Every fault that a row can have, as problems.yaml describes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import yaml

Severity = Literal["error", "unused", "warning"]


@dataclass(frozen=True)
class Problem:
    """A kind of fault, by severity.

    error: the row is rejected, and stops the run where `data.on_problem` is stop. unused: the row is named in
    rejects.jsonl, but nothing is wrong with it. warning: the row goes on, and is counted.
    """

    code: str
    severity: Severity
    meaning: str
    fix: str
    ends_file: bool = False  # nobody can tell which rows are missing: it stops with `drop`, too


TABLE = Path(__file__).with_name("problems.yaml")
PROBLEMS = {code: Problem(code, **said) for code, said in yaml.safe_load(TABLE.read_text(encoding="utf-8")).items()}
UNREADABLE = [code for code, problem in PROBLEMS.items() if problem.ends_file]


class Finding(NamedTuple):
    """One fault of one row: its code, where in the row, and what is wrong there."""

    code: str
    path: str = "$"
    detail: str = ""
    column: int | None = None


class Rejected(Exception):
    """A row that does not go on, and the faults why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(*findings)
        self.findings = findings
