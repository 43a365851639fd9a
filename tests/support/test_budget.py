"""The budget of the tests: what takes too long is named, also where several workers measured it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.budget import ALLOWED, OTHERS, TABLE, find_over, list_children
from tests.support.project import ROOT
from tests.support.slowest import find_slowest

BUSY = """
import time

import pytest


@pytest.fixture(scope="session")
def shared():
    work(0.4)


def work(seconds):
    while time.process_time() < seconds:
        pass


def test_quick(shared):
    pass


def test_slow(shared):
    work(time.process_time() + 1.0)
"""
CONFTEST = """
from pathlib import Path

from tests.support import budget

budget.OTHERS = {others}
budget.TABLE = Path({table!r})
budget.MEASURED = Path({measured!r})
budget.measure_slowness = lambda: {slowness}


def pytest_configure(config):
    config.pluginmanager.register(budget.Budget("workflow"))
"""


def test_a_file_over_its_budget_is_named_and_one_just_below_is_not():
    budgets = {"tests/a.py": 10.0, "tests/b.py": 10.0}
    (line,) = find_over({"tests/a.py": 10 * ALLOWED + 1, "tests/b.py": 10 * ALLOWED - 1}, budgets, slowness=1)
    assert line.startswith("tests/a.py: 14 CPU seconds, more than 1.3 times its budget of 10 ")


def test_what_is_not_in_the_table_has_a_budget_too():
    assert len(find_over({"tests/new.py": OTHERS * ALLOWED + 1}, {}, slowness=1)) == 1


def test_the_table_names_no_file_that_is_gone():
    named = tomllib.loads(TABLE.read_text(encoding="utf-8"))["cpu_seconds"]
    assert [name for name in named if "/" in name and not (ROOT / name).is_file()] == []


def test_a_slower_machine_may_take_longer():
    assert find_over({"tests/a.py": 25.0}, {"tests/a.py": 10.0}, slowness=2) == []


def test_a_thread_that_has_ended_has_no_children(tmp_path):
    assert list_children(tmp_path / "ended") == []


def run_busy(folder: Path, words: list[str], slowness: float) -> "subprocess.CompletedProcess[str]":
    """Run a file of tests that takes more than a second where it may take a tenth of one."""
    (folder / "test_busy.py").write_text(BUSY, encoding="utf-8")
    (folder / "budget.toml").write_text("[cpu_seconds]\nshared = 60\n", encoding="utf-8")
    paths = {"table": str(folder / "budget.toml"), "measured": str(folder / "measured")}
    (folder / "conftest.py").write_text(CONFTEST.format(others=0.1, slowness=slowness, **paths), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}", "-c", "/dev/null"]
    where = ["--junitxml", str(folder / "busy.xml"), str(folder / "test_busy.py")]
    return subprocess.run([*command, *words, *where], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [[], ["--numprocesses=1"]], ids=["in one process", "by a worker"])
@pytest.mark.parametrize(("slowness", "status"), [(1, 1), (2, 0)], ids=["as fast", "twice slower"])
def test_a_file_over_its_budget_is_named_and_fails_the_session_of_a_machine_that_is_judged(
    tmp_path, words, slowness, status
):
    done = run_busy(tmp_path, words, slowness)
    assert done.returncode == status
    assert "2 passed" in done.stdout
    assert "over budget: test_busy.py: 1 CPU seconds, more than 1.3 times its budget of 0.1" in done.stdout


def test_the_slowest_tests_come_first(tmp_path):
    run_busy(tmp_path, [], slowness=1)
    (slow, slowest), (quick, _) = find_slowest([tmp_path / "busy.xml"])
    assert slowest == "test_busy::test_slow" and slow > quick
