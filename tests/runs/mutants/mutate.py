"""Change the code in small ways with mutmut, one at a time, and run the tests of the first tier that reach it."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.support.project import ROOT, copy_data, copy_project, link_environments, run_command

# One in ten of the changes that mutmut makes of each function: the 3rd, the 13th, …
SAMPLE = ("*__mutmut_3", "*__mutmut_?3", "*__mutmut_??3")
SITE = ".venv-mutants/lib/python*/site-packages"
# mutmut's packages come behind those of the environment that it runs in.
# A plugin that a test runs by its path gets the name of a module, by which mutmut knows it.
PROGRAM = """import glob, runpy, sys
sys.path += glob.glob(SITE)
run_path = runpy.run_path
runpy.run_path = lambda path: run_path(path, run_name=path.removesuffix(".py").replace("/", "."))
from mutmut.__main__ import cli
cli(sys.argv[1:])""".replace("SITE", repr(SITE))
SETTINGS = """
[tool.mutmut]
source_paths = ["pipeline", "plugins"]
only_mutate = {files}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-m", "not ci and not nightly", "-p", "no:budget", "-p", "tests.runs.mutants.shared_fixtures"]
also_copy = {copied}
process_isolation = "forkserver"
type_check_command = ["mypy", "pipeline", "--output", "json", "--config-file", "", "--explicit-package-bases",
    "--ignore-missing-imports"]
"""
NOTICED = ("killed", "timeout", "caught by type check", "suspicious", "segfault")


class Area(NamedTuple):
    """Files that are changed, and the tests that should notice, in one of the environments."""

    python: str
    files: list[str]
    tests: list[str]


class Survivor(NamedTuple):
    """A change that no test noticed."""

    name: str
    change: str


def find_survivors(area: Area, folder: Path, names: tuple[str, ...] = SAMPLE) -> tuple[int, list[Survivor]]:
    """Return how many changes of the sample were made in a copy of the project, and those that no test noticed."""
    set_up(area, folder)
    ran = mutmut(area, folder, "run", "--max-children", str(os.cpu_count()), *names)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    results = re.findall(r"^\s+(\S+): (.+)$", mutmut(area, folder, "results", "--all", "true").stdout, re.MULTILINE)
    tried = {name: result for name, result in results if result != "not checked"}
    missed = [name for name, result in tried.items() if result not in NOTICED]
    return len(tried), [Survivor(name, mutmut(area, folder, "show", name).stdout) for name in missed]


def set_up(area: Area, folder: Path) -> None:
    """Make a copy of the project in which mutmut runs, and in which processes that the tests start find it, too."""
    copy_project(folder)
    copy_data(folder)
    copied = sorted(path.name for path in folder.iterdir() if path.name not in {".git", "pipeline", "plugins"})
    copied = [name for name in copied if not name.startswith(".venv")]
    (folder / ".venv-mutants").symlink_to(ROOT / ".venv-mutants")
    (folder / "mutants").mkdir()
    link_environments(folder / "mutants")
    (folder / "alone").mkdir()
    for path in ROOT.glob(f"{SITE}/mutmut*"):
        (folder / "alone" / path.name).symlink_to(path)
    settings = SETTINGS.format(files=area.files, tests=area.tests, copied=copied).replace("'", '"')
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write(settings)


def mutmut(area: Area, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run mutmut in a folder."""
    alone = str(folder / "alone")
    return run_command(str(ROOT / area.python), "-c", PROGRAM, *words, cwd=folder, PYTHONPATH=alone)
