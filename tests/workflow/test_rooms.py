"""The rooms of the house: who may import from whom."""

import ast
from pathlib import Path

import pytest

from tests.support.project import ROOT

ENTRIES = ("scripts", "tools")
ROOMS = sorted(path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").exists())


def imports(path: Path) -> set[str]:
    """Return the modules from which a file imports, with the names: pipeline.files.json_lines.read_json_lines."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = {f"{node.module}.{name.name}" for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names}
    return named | {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}


def rooms_behind(folder: str) -> set[str]:
    """Return the folders at the top from which the files of a folder import."""
    found = {name.partition(".")[0] for path in (ROOT / folder).rglob("*.py") for name in imports(path)}
    return found & {"scripts", "tools", "pipeline", "benchmarks", "tests"}


@pytest.mark.parametrize("folder", [*ENTRIES, "plugins"])
def test_scripts_tools_and_plugins_import_from_the_pipeline_alone(folder):
    assert rooms_behind(folder) == {"pipeline"}


def test_the_pipeline_imports_from_itself_alone():
    assert rooms_behind("pipeline") == {"pipeline"}


def test_benchmarks_import_no_test():
    assert "tests" not in rooms_behind("benchmarks")


def test_no_folder_of_the_pipeline_needs_one_that_needs_it():
    needs = {}
    for room in ROOMS:
        names = {name for path in (ROOT / "pipeline" / room).rglob("*.py") for name in imports(path)}
        needs[room] = {name.split(".")[1] for name in names if name.startswith("pipeline.")} & set(ROOMS) - {room}
    while free := [room for room, needed in needs.items() if not needed & needs.keys()]:
        for room in free:
            del needs[room]
    assert needs == {}
