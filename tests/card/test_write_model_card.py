"""write_model_card.py: the card's text. test_model_card.py reads the card with Hugging Face's library."""

import json
import re
import shlex
import shutil
from typing import Any

import pytest
import yaml

from pipeline.files.folder_manifest import write_manifest
from pipeline.settings.embedded_data import INTERFACE
from scripts.write_model_card import main
from tests.support.card import EVALUATION, SETTINGS, SHAPE_20B, figure, write_card
from tests.support.project import ROOT


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Return a function that writes a card in a folder of its own, and returns its text."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **files: write_card(tmp_path, *arguments, **files)


def metadata(text: str) -> dict[str, Any]:
    """Return the metadata at the top of a card."""
    return yaml.safe_load(text.split("---\n")[1])


def section(text: str, heading: str) -> str:
    """Return the text below a heading."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def code(text: str) -> str:
    """Return the program of a card."""
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


def prompt_of(program: str, question: str, *system: str) -> str:
    """Return the prompt that the program of a card sends."""
    names: dict[str, Any] = {"question": question, "system": list(system)}
    for line in program.splitlines():
        if line.startswith(("system = ", "before = ", "prompt = ")):
            exec(line, names)
    return names["prompt"]


def test_the_metadata_says_what_the_hub_asks_for(card):
    found = metadata(card())
    assert found["library_name"] == "transformers"
    assert found["pipeline_tag"] == "text-generation"
    assert found["language"] == ["zh", "en"]
    assert {"dpo", "lora", "ms-swift"} <= set(found["tags"])


def test_the_figures_say_how_an_answer_without_a_final_counts(card):
    assert "one that was cut (`cut answers`) or has no final (`no final`) counts as empty" in section(card(), "Figures")


def test_a_packed_model_says_that_its_experts_are_those_of_the_base(card):
    said = "Its experts are packed (MXFP4), with the bytes that they have in the model before tuning; "
    config = {"num_hidden_layers": 2, "quantization_config": {"quant_method": "mxfp4"}}
    assert said in card(config=config)
    assert said not in card()


def test_the_tiny_model_has_no_base_and_the_licence_of_the_project(card):
    found = metadata(card())
    assert "base_model" not in found
    assert found["license"] == "mit"


def test_a_model_of_other_pairs_has_a_licence_that_the_card_does_not_know(card):
    found = metadata(card({"data": {"raw": "my_pairs.jsonl"}}))
    assert (found["license"], found["license_name"]) == ("other", "that-of-the-base-model-and-the-data")


def test_a_folder_with_the_name_and_shape_of_gpt_oss_is_named_as_the_base(card):
    found = metadata(card({"model": {"folder": "/models/gpt-oss-20b"}}, config=SHAPE_20B))
    assert (found["base_model"], found["base_model_relation"]) == ("openai/gpt-oss-20b", "finetune")
    assert found["license"] == "apache-2.0"


@pytest.mark.parametrize(
    ("folder", "shape"), [("models/my-gpt-oss", SHAPE_20B), ("models/gpt-oss-20b", SHAPE_20B | {"hidden_size": 64})]
)
def test_a_folder_with_another_name_or_shape_is_not(card, folder, shape):
    assert "base_model" not in metadata(card({"model": {"folder": folder}}, config=shape))


def test_without_languages_there_is_no_language(card):
    assert "language" not in metadata(card({"data": {"languages": None}}))


def test_the_index_has_every_figure_of_the_last_model_that_has_a_value(card):
    (entry,) = metadata(card())["model-index"]
    found = {
        (result["task"]["type"], metric["name"]): (metric["type"], metric["value"], metric["verified"])
        for result in entry["results"]
        for metric in result["metrics"]
    }
    assert found == {
        ("translation", "bleu"): ("bleu", 1.875, False),
        ("text-generation", "preference accuracy"): ("accuracy", 0.6, False),
        ("text-generation", "reward accuracy"): ("accuracy", 0.81, False),
    }


def test_without_figures_there_is_no_index(card):
    text = card(None, {"models": ["base", "dpo"], "answers": {}, "pairs": {}, "comparisons": {}, "signatures": {}})
    assert "model-index" not in metadata(text)
    assert "|" not in section(text, "Figures")


def test_groups_of_figures_may_be_absent(card):
    assert "reward accuracy" not in card(None, {"models": ["dpo"]})


def test_figures_stand_side_by_side_with_their_intervals(card):
    rows = section(card(), "Figures").splitlines()
    assert "| bleu | 2.125 [1.25, 3.5] | 1.875 [1, 3] | 52 |" in rows
    assert "| reward accuracy | – | 0.81 [0.68, 0.89] | 52 |" in rows
    assert "| dpo − base | bleu | -0.25 [-1, 0.5] | 0.41 |" in rows


def test_a_figure_without_a_value_is_a_dash(card):
    assert "| urls kept | – | – | 0 |" in section(card(), "Figures").splitlines()


def test_what_was_forgotten_is_a_figure_and_the_limits_say_how_it_was_measured(card):
    neutral = {model: {"neutral_loss": figure(2.5, 62, 2.25, 2.75)} for model in ("base", "dpo")}
    text = card(evaluation=EVALUATION | {"neutral": neutral})
    assert "| neutral loss | 2.5 [2.25, 2.75] | 2.5 [2.25, 2.75] | 62 |" in section(text, "Figures")
    assert "the loss on one neutral text alone was measured" in section(text, "Limits")
    assert "may have lost were not measured" in section(card(), "Limits")


def test_a_model_after_sft_has_a_column_of_its_own(card):
    models = EVALUATION | {"models": ["base", "sft", "dpo"]}
    models["answers"] = EVALUATION["answers"] | {"sft": {"bleu": figure(3.0)}}
    text = card({"sft": {"enabled": True}}, models)
    assert "| bleu | 2.125 [1.25, 3.5] | 3 | 1.875 [1, 3] | 52 |" in section(text, "Figures").splitlines()
    assert "tuned with SFT, then with preference pairs" in text


def test_a_bar_in_a_tag_does_not_break_the_table(card):
    assert "| a\\|b | 0.9 | 20 |" in section(card(), "Figures").splitlines()


def test_settings_are_those_in_force(card):
    rows = section(card(), "Training").splitlines()
    assert {"| `learning_rate` | 4e-05 |", "| `target_modules` | all-linear |", "| steps | 90 |"} <= set(rows)


def test_data_are_counted_and_hashed(card):
    text = section(card(), "Data")
    assert "3 raw rows (`pairs.jsonl`): 2 used, 1 rejected" in text
    assert re.search(r"\| `dpo/train.jsonl` \| 1 \| `[0-9a-f]{64}` \|", text)


def test_pairs_of_ones_own_that_are_held_out_are_counted_beside_the_others(card):
    text = card({"data": {"val": "own.jsonl"}})
    assert "pairs of their own: 9 raw rows (`own.jsonl`): 9 used, 0 rejected" in section(text, "Data")
    assert "held-out prompts from data of their own" in section(text, "Limits")


def test_analyses_of_the_base_model_are_counted_with_the_reasons_for_those_without(card):
    text = section(card({"data": {"analyses": "base"}}), "Data")
    assert "answered the 8 prompts, and its analysis stands before both answers of 4 pairs; 2 had one" in text
    assert "The others have none (1: would be longer than dpo.max_length with it; 1: the base model called" in text
    assert "base model answered" not in section(card(), "Data")


def test_a_gate_that_failed_is_named(card):
    text = section(card(), "Gates")
    assert "| data | 1 of 1 |" in text and "| dpo | 0 of 1 |" in text
    assert "- dpo: loss_collapse is 0.001, expected at least 0.02" in text


def test_the_tiny_model_is_said_to_be_a_demonstration(card):
    assert "**It is a demonstration.**" in section(card(), "Limits")


def test_pairs_of_the_grammar_are_said_to_show_no_better_translations(card):
    assert "**A grammar made its pairs**" in section(card({"data": {"raw": INTERFACE}}), "Limits")
    assert "A grammar" not in card()


def test_a_real_model_is_not(card):
    text = card({"model": {"folder": "models/gpt-oss-20b"}}, config=SHAPE_20B)
    assert "demonstration" not in text


def test_no_folder_outside_the_project_is_named(card, tmp_path):
    text = card({"data": {"raw": "/somewhere/else/pairs.jsonl"}, "model": {"folder": "/models/mine"}})
    assert not [place for place in ("/somewhere", "/models", str(tmp_path)) if place in text]


def golden(name: str) -> dict[str, Any]:
    """Return a pair and its prompt in training."""
    return json.loads((ROOT / f"tests/golden/prompts/{name}.json").read_text(encoding="utf-8"))


def test_the_program_sends_the_prompt_of_the_training(card):
    plain = golden("no-system")
    assert prompt_of(code(card()), plain["pair"]["messages"][0]["content"]) == plain["prompt"]["text"]


@pytest.mark.parametrize("place", ["data.system", "every held-out pair", "the argument"])
def test_the_program_sends_the_system_message_of_the_training(card, place):
    translation = golden("tutorial-translation")
    system, question = (message["content"] for message in translation["pair"]["messages"][:2])
    text = {
        "data.system": lambda: card({"data": {"system": system}}),
        "every held-out pair": lambda: card(val=[translation["pair"]]),
        "the argument": lambda: card({"data": {"system": "Another."}}),
    }[place]()
    given = [system] if place == "the argument" else []
    assert prompt_of(code(text), question, *given) == translation["prompt"]["text"]
    assert (system in section(text, "Serve")) == (place != "the argument")


def test_the_program_sends_no_system_message_where_it_is_given_an_empty_one(card):
    plain = golden("no-system")
    program = code(card({"data": {"system": "Translate."}}))
    assert prompt_of(program, plain["pair"]["messages"][0]["content"], "") == plain["prompt"]["text"]


def test_the_same_run_gives_the_same_bytes(card):
    assert card() == card()


def test_the_model_has_a_copy_that_its_manifest_leaves_out(card, tmp_path):
    text, run = card(), tmp_path / "results/tiny"
    assert (run / "merged/README.md").read_text(encoding="utf-8") == text
    write_manifest(run / "merged", tmp_path / "merged.sha256")
    assert "README.md" not in (tmp_path / "merged.sha256").read_text(encoding="utf-8")


def test_a_model_that_another_run_trained_gets_no_copy(card, tmp_path):
    card()
    (tmp_path / "results/tiny/merged/README.md").unlink()
    shutil.copytree(tmp_path / "results/tiny/evaluate", tmp_path / "results/warm/evaluate")
    folders = {"run": "warm", "training": "tiny", "shared": "tiny", "out": "warm"}
    named = [word for name, folder in folders.items() for word in (f"--{name}", f"results/{folder}")]
    main(["--settings", json.dumps(SETTINGS), *named])
    assert "\n# warm\n" in (tmp_path / "results/warm/model_card.md").read_text(encoding="utf-8")
    assert not (tmp_path / "results/tiny/merged/README.md").exists()


def curl_of(text: str) -> dict[str, Any]:
    """Return the body of the request in the curl line of a card."""
    line = next(line for line in section(text, "Serve").splitlines() if line.startswith("curl "))
    return json.loads(shlex.split(line)[-1])


@pytest.mark.parametrize("system", [None, "Don't explain."])
def test_the_curl_line_asks_with_the_effort_and_the_system_message_of_the_training(card, system):
    asked = curl_of(card({"data": {"system": system}, "prompt": {"reasoning_effort": "high"}}))
    assert (asked["model"], asked["reasoning_effort"]) == ("tuned", "high")
    assert [turn["content"] for turn in asked["messages"]] == [*([system] if system else []), "Hello"]


def test_a_gpt_oss_is_served_by_vllm_too_with_the_date_of_the_training(card):
    command = "VLLM_SYSTEM_START_DATE=2026-01-01 vllm serve . --served-model-name tuned --host 127.0.0.1"
    assert command in section(card({"model": {"folder": "models/gpt-oss-20b"}}), "Serve")


def test_a_model_with_a_vocabulary_of_its_own_is_not_served_by_vllm(card):
    text = section(card(), "Serve")
    assert "`make serve RUN=tiny`" in text and "vllm" not in text


@pytest.mark.parametrize(("packed", "form"), [(True, "packed (MXFP4)"), (False, "in bfloat16")])
def test_the_card_names_the_format_of_the_weights(card, packed, form):
    config = SHAPE_20B | ({"quantization_config": {"quant_method": "mxfp4"}} if packed else {})
    assert f"The weights are {form}" in section(card(config=config), "Serve")
