"""code_digests.py: the file from which DVC sees what each file of code means."""

import json

import pytest

from pipeline.graph.code_of import meaning_of
from pipeline.publishing import code_digests
from pipeline.publishing.code_digests import list_code, write_digests
from tests.support.project import ROOT

FILES = ["pipeline/preferences/problems.py", "pipeline/preferences/problems.yaml"]


@pytest.fixture
def digests(tmp_path, monkeypatch):
    """Return where the digests of two files are written."""
    monkeypatch.setattr(code_digests, "list_code", lambda: FILES)
    monkeypatch.setattr(code_digests, "DIGESTS", tmp_path / "results" / "code.json")
    return tmp_path / "results" / "code.json"


def test_scripts_plugins_and_what_they_import_are_listed(monkeypatch):
    monkeypatch.chdir(ROOT)
    plugins = {str(path.relative_to(ROOT)) for path in ROOT.glob("plugins/**/*.py")}
    scripts = {str(path.relative_to(ROOT)) for path in ROOT.glob("scripts/[!_]*.py")}
    assert plugins | scripts | {*FILES} <= set(list_code())


def test_a_digest_stands_under_the_path_and_then_under_the_ending(digests):
    write_digests()
    module, table = map(meaning_of, FILES)
    assert json.loads(digests.read_text(encoding="utf-8")) == {
        "pipeline/preferences/problems": {"py": module, "yaml": table}
    }


def test_a_file_that_is_already_right_stays_and_another_is_replaced(digests):
    write_digests()
    right = digests.read_bytes()
    written = digests.stat().st_ino, digests.stat().st_mtime_ns
    write_digests()
    assert (digests.stat().st_ino, digests.stat().st_mtime_ns) == written
    digests.write_text("{}", encoding="utf-8")
    write_digests()
    assert digests.read_bytes() == right
