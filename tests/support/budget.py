"""CPU seconds of each file of tests: measured, and held to its budget in tests/budget.toml.

    python -m tests.support.budget >tests/budget.toml  # of what was last run, in both environments

A pytest plugin. What a daemon starts (a job of Slurm) does not count. A budget is for the machine on which a fixed
piece of work takes REFERENCE_SECONDS; a slower machine gets more, and one that is much slower is only told: there,
files are slower by 2 to 4 times. More workers than cores are not judged: the same work takes them more CPU seconds. A
session-scoped fixture has a budget of its own, since any file may be the first that asks for it.
"""

import json
import os
import resource
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
TABLE = TESTS / "budget.toml"
OTHERS = 3.0  # CPU seconds of what is not in the table
ALLOWED = 1.3  # times its budget
REFERENCE_SECONDS = 0.13
MOST_SLOWNESS = 1.5  # of a machine that is judged
MEASURED = TESTS.parent / ".pytest_cache" / "cpu_seconds"


def used() -> float:
    """Return the CPU seconds of this process and of its children: with those of their own that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    alive = (pid for task in Path("/proc/self/task").iterdir() for pid in list_children(task))
    return sum(usage.ru_utime + usage.ru_stime for usage in both) + sum(map(used_by_child, alive))


def list_children(task: Path) -> list[int]:
    """Return the processes that a thread has started and not waited for: none, if it has ended since."""
    try:
        return [int(pid) for pid in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def used_by_child(pid: int) -> float:
    """Return the CPU seconds of a child that has not been waited for, and of all that it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def measure_slowness() -> float:
    """Return how many times longer this machine takes than the budget's for a fixed piece of work; at least 1."""

    def work() -> float:
        begun = time.process_time()
        sorted(str(number * 7919 % 10_007) for number in range(400_000))
        return time.process_time() - begun

    return max(1.0, sorted(work() for _ in range(3))[1] / REFERENCE_SECONDS)


def find_over(spent: dict[str, float], budgets: dict[str, float], slowness: float) -> list[str]:
    """Return a line for each file, or fixture, that took more than it may on a slower machine."""
    return [
        f"{name}: {seconds:.0f} CPU seconds, more than {ALLOWED} times its budget of {budgets.get(name, OTHERS):g} "
        f"on a machine {slowness:.1f} times slower; make it cheaper, or say why in tests/budget.toml"
        for name, seconds in sorted(spent.items())
        if seconds > ALLOWED * slowness * budgets.get(name, OTHERS)
    ]


class Budget:
    """The plugin: each worker measures the phases of its tests, and the session that started the workers adds up."""

    def __init__(self, environment: str) -> None:
        self.environment = environment
        self.budgets: dict[str, float] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["cpu_seconds"]
        self.last = used()
        self.fixtures: Counter[str] = Counter()  # of the test that runs
        self.spent: Counter[str] = Counter()
        self.slowness = 1.0
        self.over: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Begin with the files that take most: begun last, they would keep one worker while the other waits."""
        items.sort(key=lambda item: -self.budgets.get(item.location[0], OTHERS))
        self.slowness = measure_slowness()

    def pytest_runtest_logstart(self) -> None:
        """Leave out what collecting took."""
        self.last = used()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Measure what a session-scoped fixture takes, without the ones that it asks for."""
        begun, inner = used(), self.fixtures.total()
        result = yield
        if fixturedef.scope == "session":
            self.fixtures[fixturedef.argname] += used() - begun - (self.fixtures.total() - inner)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """Add to a phase's report what it took."""
        report: Any = yield
        own, self.last = used() - self.last - self.fixtures.total(), used()
        report.cpu_seconds = {report.location[0]: own}, dict(self.fixtures)
        self.fixtures.clear()
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up, in the session that started the workers."""
        files, fixtures = getattr(report, "cpu_seconds", ({}, {}))  # none where a worker died
        self.spent.update(files)
        self.spent |= Counter(fixtures)  # the larger of two: each worker may have made it

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Learn from a worker how slow the machine was."""
        self.slowness = max(self.slowness, node.workeroutput.get("slowness", 1.0))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep what was measured, and fail if it is too much on a machine that is judged."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["slowness"] = self.slowness
            return
        if (session.config.getoption("numprocesses", None) or 1) > (os.cpu_count() or 1):
            return
        MEASURED.mkdir(parents=True, exist_ok=True)
        (MEASURED / f"{self.environment}.json").write_text(json.dumps(self.spent), encoding="utf-8")
        self.over = find_over(self.spent, self.budgets, self.slowness)
        if self.over and self.slowness <= MOST_SLOWNESS and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what it took, and which file is over its budget."""
        total = self.spent.total() / 60
        terminalreporter.write_line(f"{total:.1f} CPU minutes, on a machine {self.slowness:.2f} times slower")
        for line in self.over:
            terminalreporter.write_line(f"over budget: {line}", red=True)


def main() -> None:
    spent = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(MEASURED.glob("*.json"))]
    rows = sorted((name, seconds) for part in spent for name, seconds in part.items() if seconds > OTHERS)
    sys.stdout.write(
        "# CPU seconds of each file of tests, and of each session-scoped fixture (tests/support/budget.py).\n"
    )
    sys.stdout.write(f"# What is not here may take {OTHERS:g}.\n[cpu_seconds]\n")
    sys.stdout.writelines(f'"{name}" = {seconds:.0f}\n' for name, seconds in rows)


if __name__ == "__main__":
    main()
