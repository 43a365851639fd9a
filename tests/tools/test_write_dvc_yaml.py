"""tools/write_dvc_yaml.py: a dvc.yaml that the graph does not make is stale."""

import pytest

from tests.support.project import ROOT
from tools import write_dvc_yaml


def test_a_stale_dvc_yaml_fails_the_check_and_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    page = tmp_path / "dvc.yaml"
    monkeypatch.setattr(write_dvc_yaml, "DVC_YAML", page)
    stale = (ROOT / "dvc.yaml").read_text(encoding="utf-8").replace("- data/interface/pairs.jsonl\n", "", 1)
    page.write_text(stale, encoding="utf-8")
    with pytest.raises(
        SystemExit, match=r"\n\+ +- data/interface/pairs\.jsonl\n(?s:.)*dvc\.yaml: stale; run: make dvc"
    ):
        write_dvc_yaml.main(["--check"])
    assert page.read_text(encoding="utf-8") == stale
