"""served_run.py: what of a run is served. test_serve_run.py serves a real one."""

import json
from pathlib import Path

import pytest

from pipeline.files.json_lines import write_json_lines
from pipeline.serving.common_system import find_system
from pipeline.serving.served_run import find_question, find_run
from tests.support.model_folders import write_model_folder

SETTINGS = {
    "environment": {"PROMPT_DATE": "2026-01-01", "REASONING_EFFORT": "low"},
    "arguments": {"torch_dtype": "bfloat16", "experts_impl": None},
}
TURNS = [{"role": "system", "content": "Translate."}, {"role": "user", "content": "保存"}]


@pytest.fixture
def results(tmp_path) -> Path:
    """Return a folder of results with a run that has all that is served."""
    run = tmp_path / "results" / "mine"
    (run / "dpo" / "adapter").mkdir(parents=True)
    for name in ("merged", "model"):
        write_model_folder(run / name)
    (run / "dpo" / "settings.json").write_text(json.dumps(SETTINGS))
    (run / "dpo" / "adapter" / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(run / "model")})
    )
    write_json_lines(run / "dpo" / "val.jsonl", [{"messages": TURNS}])
    return tmp_path / "results"


def test_the_merged_model_is_served_with_the_prompt_of_its_training(results):
    served = find_run(results, "mine", with_base=False)
    assert (served.folder, served.names) == (results / "mine" / "merged", ["tuned"])
    assert served.prompt == {"date": "2026-01-01", "reasoning_effort": "low"}
    assert served.system == "Translate."


def test_beside_the_base_the_tuned_model_is_the_adapter_on_what_it_was_trained_on(results):
    served = find_run(results, "mine", with_base=True)
    assert (served.folder, served.names) == (results / "mine" / "model", ["base", "tuned"])
    assert f"tuned={results}/mine/dpo/adapter" in served.flags()


def test_flags_that_training_left_out_are_left_out(results):
    flags = find_run(results, "mine", with_base=False).flags()
    assert "--experts_impl" not in flags
    assert flags[flags.index("--torch_dtype") + 1] == "bfloat16"


@pytest.mark.parametrize(
    ("run", "missing", "said"),
    [
        ("other", None, "other/merged: no such folder, so there is no tuned model; runs with one: mine"),
        ("mine", "merged/config.json", "merged/config.json: missing; model.folder must name a model"),
        ("mine", "dpo/settings.json", "dpo/settings.json: missing; run the training of mine, or fetch its results"),
        ("mine", "dpo/adapter/adapter_config.json", "adapter_config.json: missing; run the training of mine"),
        ("mine", "model/tokenizer.json", "model/tokenizer.json: missing; fetch the model's tokenizer too"),
    ],
)
def test_what_is_not_there_is_named_in_one_line(results, run, missing, said):
    if missing:
        (results / "mine" / missing).unlink()
    with pytest.raises(SystemExit) as stopped:
        find_run(results, run, with_base=True) if missing != "merged/config.json" else find_run(results, run, False)
    assert said in stopped.value.code and "\n" not in stopped.value.code


@pytest.mark.parametrize(
    ("conversations", "system"),
    [
        ([TURNS, TURNS], "Translate."),
        ([TURNS, TURNS[1:]], None),
        ([TURNS, [{"role": "system", "content": "Other."}, TURNS[1]]], None),
        ([TURNS[1:]], None),
    ],
)
def test_the_system_message_is_that_of_all_conversations(conversations, system):
    assert find_system(conversations) == system


@pytest.mark.parametrize(("text", "question"), [("保存", "保存"), ("x" * 81, "Hello"), ("two\nlines", "Hello")])
def test_the_example_is_a_question_that_fits_on_a_line(text, question):
    assert find_question([[{"role": "user", "content": text}]]) == question
