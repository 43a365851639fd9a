"""The documents: complete, true of the tree, and not stale."""

import re
import subprocess

import pytest

from pipeline.planning.gpus import GPUS
from tests.support.project import ROOT
from tests.workflow.test_workflow import NAMES, TUTORIAL_FLAGS
from tools import document_config, document_graph, document_hardware

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
TREE = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")


def tracked() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(listed.stdout.splitlines())


def test_the_page_of_settings_is_what_the_schema_says():
    assert document_config.PAGE.read_text(encoding="utf-8") == document_config.render(), "stale; run: make docs"


def test_the_table_of_hardware_is_what_the_plans_say():
    assert document_hardware.render() == README, "stale; run: make docs"


def test_the_picture_of_the_graph_is_what_snakemake_builds():
    assert document_graph.render() == README, "stale; run: make docs"


def test_the_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


def test_the_table_of_hardware_has_an_overlay_that_fits_for_every_known_gpu():
    named = {name for row in document_hardware.ROWS for name in row.gpus}
    assert named == {gpu.name for gpu in GPUS}
    too_large = [
        (row.overlay, gpu.name)
        for row in document_hardware.ROWS
        for gpu in GPUS
        if gpu.name in row.gpus and document_hardware.needed_bytes(row) > gpu.memory
    ]
    assert too_large == []


def test_the_tree_names_every_entry_of_the_top_level():
    known = {"README.md", "LICENSE", "pyproject.toml"}
    entries = {f"{path.split('/')[0]}/" if "/" in path else path for path in tracked() if not path.startswith(".")}
    assert {entry for entry in entries - known if f"    {entry} " not in TREE} == set()


def test_the_tree_names_nothing_that_is_not_there():
    assert [name for name in re.findall(r"^    (\S+) ", TREE, re.MULTILINE) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        linked = (page.parent / target) if target else page
        assert linked.exists(), target
        headings = re.findall(r"^#+ (.*)", linked.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def test_every_rule_is_described():
    page = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"| `{name}` |" not in page] == []


def test_every_flag_of_the_tutorial_is_accounted_for():
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert [flag for flag in TUTORIAL_FLAGS.split()[::2] if f"`{flag}" not in page] == []


def test_every_make_target_says_what_it_does(run):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    shown = run("make", "help").stdout
    assert [name for name in targets if not re.search(rf"^{name} +[A-Z]", shown, re.MULTILINE)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_script_says_how_it_is_run(name):
    text = (ROOT / "scripts" / f"{name}.py").read_text(encoding="utf-8")
    assert f"python -m scripts.{name}" in text.split('"""')[1]
