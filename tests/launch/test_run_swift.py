"""run_swift.py: every stage sees one prompt, because there is one way to run swift and one to render."""

import os
import re
from pathlib import Path

import pytest

from pipeline.launch.run_swift import Cause, run_swift, swift_environment
from tests.support.project import ROOT

FOLDERS = ("scripts", "tools", "pipeline")
SOURCES = {path.name: path.read_text(encoding="utf-8") for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
STAGES = sorted(name for name, text in SOURCES.items() if re.search(r"^ +run_swift\(", text, re.MULTILINE))


def test_date_and_effort_of_the_prompt_are_in_the_environment():
    assert swift_environment({"date": "2026-01-01", "reasoning_effort": "low"}, 0, {}).items() >= {
        ("PROMPT_DATE", "2026-01-01"),
        ("REASONING_EFFORT", "low"),
    }


def test_a_process_on_the_cpu_has_the_threads_it_is_given_whatever_snakemake_sets():
    environment = swift_environment({"date": "2026-01-01", "reasoning_effort": "medium"}, 1, {})
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "1"


def test_training_merging_and_inference_run_swift():
    assert {"train_adapter.py", "merge_adapter.py", "infer_shard.py"} <= set(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_that_runs_swift_names_the_model_loads_the_plugins_and_sets_the_date(name):
    assert re.search(r"\*plugin_flags\((INFERENCE)?\),", SOURCES[name]) or "training_command(training" in SOURCES[name]
    assert re.search(r"\*model_flags\((args\.)?model\),|training_command\(training", SOURCES[name])
    assert re.search(r'swift_environment\(\s*(training\.prompt|args\.settings\["prompt"\]),', SOURCES[name])


def test_swift_is_started_and_its_template_loaded_in_one_place_each():
    assert [name for name, text in SOURCES.items() if '"swift", *' in text and "subprocess" in text] == ["run_swift.py"]
    assert [name for name, text in SOURCES.items() if re.search(r"(?<!\.)\bget_template\(", text)] == ["render_chat.py"]


LOST = "RuntimeError: [pair.cc:553] Connection closed by peer [127.0.0.1]:41197. This is typically caused by a crash."
KILLED = """Failures:
[1]:
  rank      : 0 (local_rank: 0)
  traceback : Signal 9 (SIGKILL) received by PID 4710
Root Cause (first observed failure):
[0]:
  time      : 2026-01-01_00:00:00
  rank      : 1 (local_rank: 1)
  exitcode  : -9 (pid: 4711)
  traceback : Signal 9 (SIGKILL) received by PID 4711
"""


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (f"[rank1]: ValueError: no rows\n[rank0]: {LOST}\n", "ValueError: no rows"),
        (f"[rank0]: {LOST}\n[rank1]: ValueError: no rows\n", "ValueError: no rows"),
        (f"[rank0]: {LOST}\n{KILLED}", "rank 1 was ended by SIGKILL"),
        (f"[rank0]: {LOST}\n", LOST),
        ("KeyError: 'a'\n\nRuntimeError: while handling it\n", "RuntimeError: while handling it"),
        ("Error when parsing metric 'train/remaining_time'\n", ""),
        ("train: 100%\n", ""),
    ],
)
def test_the_cause_of_a_failure_is_what_came_first_and_not_what_others_said_of_it(said, cause):
    found = Cause()
    for line in said.splitlines():
        found.read(line)
    assert str(found) == cause


@pytest.fixture
def swift(tmp_path, monkeypatch):
    """Return the file of a command of that name, which says its environment and folder."""
    file = tmp_path / "swift"
    file.write_text("#!/bin/sh\nenv\npwd\n", encoding="utf-8")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return file


def test_swift_is_given_no_key_of_a_hub_and_its_output_does_not_say_where_the_project_lies(swift, monkeypatch, capfd):
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "secret-1")
    monkeypatch.setenv("HF_TOKEN", "secret-2")
    run_swift(["rlhf"], {"PROMPT_DATE": "2026-01-01"})
    said = capfd.readouterr().out
    assert "PROMPT_DATE=2026-01-01" in said and "secret" not in said
    assert said.splitlines()[-1] == "."


def test_what_an_attempt_said_is_still_there_after_the_next(swift, tmp_path):
    kept = tmp_path / "attempts.log"
    for said in ("out of memory", "all well"):
        swift.write_text(f"#!/bin/sh\necho {said}\n", encoding="utf-8")
        run_swift(["rlhf"], {}, attempts=kept)
    lines = kept.read_text(encoding="utf-8").splitlines()
    assert lines[1::2] == ["out of memory", "all well"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\+00:00 swift rlhf", line) for line in lines[::2])


def test_a_full_disk_does_not_end_what_runs(swift, capfd):
    run_swift(["rlhf"], {}, attempts=Path("/dev/full"))
    assert capfd.readouterr().out.splitlines()[-1] == "."
