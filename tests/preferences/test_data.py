"""The embedded pairs: what data.dvc promises, and what docs/embedded-pairs.md says of them."""

import collections
import json
import re
import shutil

import pytest

from pipeline.files.json_lines import read_json_lines
from tests.support.conversion import ZH_EN, convert
from tests.support.project import ROOT, embedded_pairs

RAW = embedded_pairs()
PAIRS = read_json_lines(RAW)


def test_every_row_can_be_used_as_it_is(tmp_path):
    assert convert(RAW, tmp_path, languages=ZH_EN) is None
    assert read_json_lines(tmp_path / "pairs.jsonl") == PAIRS
    assert len(PAIRS) >= 240


def test_what_the_checks_say_of_them_is_known(tmp_path):
    assert convert(RAW, tmp_path, languages=ZH_EN) is None
    quality = json.loads((tmp_path / "quality.json").read_text(encoding="utf-8"))
    # Rejected answers add words more often than they leave some out; 三 and 3 are not the same number to the check.
    assert set(quality["codes"]) == {"length-bias", "lost-number"}
    assert quality["codes"]["lost-number"] == 5


def test_enough_conversations_have_several_turns():
    assert sum(len([m for m in pair["messages"] if m["role"] == "user"]) > 1 for pair in PAIRS) >= 20


def test_every_pair_has_an_id_and_a_documented_tag():
    page = (ROOT / "docs" / "embedded-pairs.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.M))
    assert {pair["tag"] for pair in PAIRS} == documented
    assert not [pair["id"] for pair in PAIRS if not re.fullmatch(r"[a-z]+-\d{3}", pair["id"])]


def test_no_prompt_stands_twice():
    prompts = collections.Counter(json.dumps(pair["messages"][:-1], ensure_ascii=False) for pair in PAIRS)
    assert [prompt for prompt, count in prompts.items() if count > 1] == []


def test_answers_are_english_and_sources_chinese():
    chinese = re.compile(r"[\u4e00-\u9fff，。！？；：]")
    for pair in PAIRS:
        assert chinese.search(pair["messages"][-2]["content"]), pair["id"]
        assert not chinese.search(pair["messages"][-1]["content"] + pair["rejected_response"]), pair["id"]


@pytest.mark.parametrize("sign", [r"\{\w+\}", r"%[sd]", r"\$\{\w+\}", r"</?\w+>", r"\{\{\w+\}\}"])
def test_placeholders_are_kept_by_every_chosen_answer(sign):
    for pair in PAIRS:
        source, answer = pair["messages"][-2]["content"], pair["messages"][-1]["content"]
        assert sorted(re.findall(sign, source)) == sorted(re.findall(sign, answer)), pair["id"]


def test_a_clone_gets_the_pairs_without_a_network(project, run):
    shutil.rmtree(project / "data")
    pulled = run("dvc", "pull", "--quiet", "data.dvc", cwd=project, http_proxy="http://127.0.0.1:9")
    assert pulled.returncode == 0, pulled.stderr
    assert (project / "data" / "preferences.jsonl").read_bytes() == RAW.read_bytes()
