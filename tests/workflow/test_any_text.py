"""Texts among the settings, drawn at random: through the real rules, each arrives as it was written, or is refused."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.settings.check import find_problems, load_config, merge
from pipeline.settings.formats import find_line_fault, find_path_fault, find_text_fault
from pipeline.settings.reads import READS, hand_parts
from pipeline.settings.runs import list_runs
from tests.support.both_engines import in_folder

CONFIG = load_config([])
# Each plan of the graph takes two seconds: few examples, and none is made shorter.
seldom = settings(
    suppress_health_check=list(HealthCheck),
    max_examples=max(settings.default.max_examples // 10, 4),
    phases=[Phase.generate],
)

pieces = st.sampled_from(
    [
        *("{run}", "{wildcards.run}", "{x}", "{{", "}", "$(touch x)", "`id`", "$HOME", "'", '"', "\\", "*", "[a]", "?"),
        *("-x", "--out", " ", ";", "#", "~", "=", ",", "&&", "|", "\n", "é", "保存", "\u3000", "%s", ":", "null", "\t"),
    ]
)
texts = st.lists(pieces | st.text(max_size=3), min_size=1, max_size=5).map("".join).filter(bool)
lines = texts.filter(lambda text: not find_line_fault(text))
names = lines.map(lambda text: text.replace("/", "")[:40] + ".jsonl").filter(lambda name: not find_path_fault(name))
FILES = ("raw", "val", "sft", "prompts", "terms", "neutral", "judge", "external")


@st.composite
def overlays(draw) -> dict:
    """Draw a text for every setting that takes one."""
    files = draw(st.lists(names, min_size=len(FILES), max_size=len(FILES), unique=True))
    raw, val, sft, prompts, terms, neutral, judge, external = files
    judged = {
        "url": f"http://{draw(lines)}",
        "model": draw(lines),
        "key_variable": "KEY",
        "limit": None,
        "prompt": judge,
    }
    return {
        "data": {
            "raw": raw,
            "val": val,
            "system": draw(texts.filter(lambda text: not find_text_fault(text))),
            "columns": {draw(texts.filter(lambda text: not find_text_fault(text))): "tag"},
            "ignore": [draw(texts.filter(lambda text: not find_text_fault(text)))],
        },
        "model": {"folder": draw(names)},
        "sft": {"enabled": True, "data": sft},
        "dpo": {"model_author": draw(lines), "model_name": draw(lines)},
        "tracking": {"mode": "cloud", "project": draw(lines), "host": f"https://{draw(lines)}"},
        "infer": {"prompts": {"own": prompts}},
        "evaluate": {
            **{"terms": terms, "neutral": neutral, "comet": draw(lines), "judge": judged},
            "external": {"dpo": [external]},
        },
    }


@pytest.fixture
def folder(project) -> Path:
    """Return a copy of the project in which empty files can be named."""
    return project


def words_in_bash(command: str, folder: Path) -> list[str]:
    """Return the words that bash hands to the script of a rule's command."""
    show = re.sub(r"^\s*(exec )?(\S+ )?python ", "show ", command)
    (folder / re.search(r">(\S+) 2>&1\s*$", show)[1]).parent.mkdir(parents=True, exist_ok=True)
    said = f"show() {{ printf '%s\\0' \"$@\" >&3; }}; {show}"
    done = subprocess.run(["bash", "-c", f"exec 3>&1; {said}"], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@seldom
@given(overlay=overlays())
def test_a_text_arrives_at_the_script_as_it_was_written(folder, overlay):
    config = merge(CONFIG, overlay)
    assert find_problems(config) == []
    data, evaluate = overlay["data"], overlay["evaluate"]
    files = [data["raw"], data["val"], overlay["sft"]["data"], *overlay["infer"]["prompts"].values(), evaluate["terms"]]
    files += [evaluate["neutral"], evaluate["judge"]["prompt"], *evaluate["external"]["dpo"]]
    for file in files:
        (folder / file).touch()
    (folder / "overlay.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    jobs = in_folder(folder, "tests.support.plans:list_commands", ["overlay.yaml"])
    part = hand_parts(list_runs(config))
    seen = set()
    for job in jobs:
        words = words_in_bash(job["command"], folder)
        assert words[:2] == ["-m", f"scripts.{words[1].partition('.')[2]}"]
        if "--settings" in words:
            handed = part(job["rule"])(type("Wildcards", (), {"run": job["run"]}))
            assert json.loads(words[words.index("--settings") + 1]) == json.loads(handed)
        seen.update(words)
    # Those that stand in a command by themselves.
    assert {data["raw"], data["val"], overlay["model"]["folder"], *overlay["infer"]["prompts"].values()} <= seen
    assert evaluate["neutral"] in seen
    assert {job["rule"] for job in jobs} <= set(READS)
    for file in files:
        (folder / file).unlink()


BY_KEY = {
    "data.raw": lambda text: {"data": {"raw": text}},
    "data.val": lambda text: {"data": {"val": text}},
    "model.folder": lambda text: {"model": {"folder": text}},
    "sft.data": lambda text: {"sft": {"data": text}},
    "evaluate.terms": lambda text: {"evaluate": {"terms": text}},
    "evaluate.neutral": lambda text: {"evaluate": {"neutral": text}},
    "model.tiny.conversations": lambda text: {"model": {"tiny": {"conversations": text}}},
    "infer.prompts.own": lambda text: {"infer": {"prompts": {"own": f"{text}.jsonl"}}},
    "evaluate.external.dpo.0": lambda text: {"evaluate": {"external": {"dpo": [text]}}},
}


@pytest.mark.parametrize("key", BY_KEY)
@pytest.mark.parametrize("text", ["{run}", "-x", "--help", "a\nb", "a\0", "x" * 256])
def test_a_path_that_a_tool_would_read_as_its_own_is_refused_by_its_key(key, text):
    (problem,) = find_problems(merge(CONFIG, BY_KEY[key](text)))
    assert problem.startswith(f"{key}: ")
    assert problem.isprintable()
