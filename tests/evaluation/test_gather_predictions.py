"""gather_predictions.py: each answer goes to its own prompt, however many shards there were."""

import json

import jsonschema
import pytest

from pipeline.evaluation.shards import take_shard
from pipeline.preferences.turns import ANALYSIS
from scripts.gather_predictions import gates_of, gather
from tests.support.predictions import write_rows
from tests.support.project import ROOT


def pair(number: int) -> dict:
    messages = [{"role": "user", "content": f"question {number}"}, {"role": "assistant", "content": "good"}]
    return {"id": f"p{number}", "tag": "tone", "messages": messages, "rejected_response": "bad"}


NOTED = {"finish": "stop", "analysis_tokens": 0, "final_tokens": 3}
SCHEMA = json.loads((ROOT / "schemas" / "prediction.schema.json").read_text(encoding="utf-8"))
PAIRS = [pair(number) for number in range(5)]


@pytest.fixture
def shards(tmp_path):
    """Return a function that deals the answers of PAIRS out to files, as infer_shard.py does."""

    def write_shards(count: int, each: int = 1) -> list:
        files = [tmp_path / f"{shard}.jsonl" for shard in range(count)]
        for shard, file in enumerate(files):
            numbers = [n for n in take_shard(range(5), shard, count) for _ in range(each)]
            rows = [{"response": f"<|channel|>final<|message|>answer {n}"} | NOTED for n in numbers]
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return files

    return write_shards


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_number_of_shards_changes_nothing(shards, count):
    assert [row["final"] for row in gather(PAIRS, shards(count), 1)] == [f"answer {n}" for n in range(5)]


@pytest.mark.parametrize(
    ("said", "analysis", "final"),
    [
        ("Yes", None, "Yes"),
        (ANALYSIS.format("Hm.", "Yes"), "Hm.", "Yes"),
        ("<|channel|>analysis<|message|>H", "H", ""),
        ("<|channel|>f.", "<|channel|>f.", ""),
    ],
)
def test_thinking_is_kept_apart_from_the_final_answer(said, analysis, final, tmp_path):
    file = write_rows(tmp_path / "0.jsonl", [{"response": said} | NOTED])
    (row,) = gather(PAIRS[:1], [file], 1)
    assert (row["analysis"], row["final"]) == (analysis, final)
    assert row.items() >= NOTED.items()


def test_the_thinking_of_the_pairs_is_kept_apart_too(shards):
    thinks = pair(0) | {"rejected_response": ANALYSIS.format("Hm.", "bad")}
    row = gather([thinks, *PAIRS[1:]], shards(1), 1)[0]
    assert (row["chosen"], row["rejected"], row["rejected_analysis"]) == ("good", "bad", "Hm.")
    assert "chosen_analysis" not in row
    jsonschema.validate(row, SCHEMA)


def test_tools_and_effort_of_a_prompt_stay_with_it(shards):
    beside = {"tools": [{"type": "function"}], "chat_template_kwargs": {"reasoning_effort": "low"}}
    row = gather([PAIRS[0] | beside, *PAIRS[1:]], shards(1), 1)[0]
    assert row.items() >= beside.items()
    jsonschema.validate(row, SCHEMA)


def test_answers_of_an_older_release_are_refused(shards):
    (file,) = shards(1)
    write_rows(file, [{"response": "<|channel|>final<|message|>answer"}] * 5)
    with pytest.raises(SystemExit, match=r"0.jsonl: an older release wrote these answers.*; delete it and run again"):
        gather(PAIRS, [file], 1)


@pytest.mark.parametrize("count", [1, 2])
def test_several_answers_to_a_prompt_are_numbered_rows_one_after_another(shards, count):
    rows = gather(PAIRS, shards(count, 3), 3)
    found = [(row["id"], row["answer"], row["final"]) for row in rows]
    assert found == [(f"p{n}", number, f"answer {n}") for n in range(5) for number in (1, 2, 3)]


def test_an_answer_to_a_prompt_of_ones_own_stands_without_answers_to_compare_with(shards):
    prompts = [{"id": row["id"], "messages": row["messages"][:1]} for row in PAIRS]
    rows = gather(prompts, shards(2), 1)
    said = {"analysis": None} | NOTED
    assert rows == [prompt | said | {"final": f"answer {n}"} for n, prompt in enumerate(prompts)]
    jsonschema.validate(rows[0], SCHEMA)


@pytest.mark.parametrize("each", [1, 2])
def test_a_prediction_fits_its_schema(shards, each):
    for row in gather(PAIRS, shards(1, each), each):
        jsonschema.validate(row, SCHEMA)


def test_a_missing_answer_is_refused_with_the_file_that_lacks_it(shards):
    files = shards(2)
    files[1].write_text("", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"1.jsonl: 0 answers for 2 prompts; delete it and run again"):
        gather(PAIRS, files, 1)


def test_one_of_several_answers_missing_is_refused_with_what_was_asked_for(shards):
    with pytest.raises(SystemExit, match=r"0.jsonl: 5 answers for 5 prompts x 2; delete it and run again"):
        gather(PAIRS, shards(1), 2)


def test_answers_of_other_prompts_or_none_at_all_fail_their_gates(shards):
    predictions = gather(PAIRS, shards(1), 1)

    def failed(rows: list) -> set[str]:
        return {row["gate"] for row in gates_of(PAIRS, rows, 1) if not row["passed"]}

    assert failed(predictions) == set()
    assert failed(predictions[1:] + predictions[:1]) == {"answers"}
    assert failed([row | {"analysis": None, "final": " "} for row in predictions]) == {"empty_answers"}


def test_answers_that_are_all_cut_in_their_analysis_are_not_empty(shards):
    predictions = [row | {"analysis": "Hm", "final": ""} for row in gather(PAIRS, shards(1), 1)]
    assert all(row["passed"] for row in gates_of(PAIRS, predictions, 1))
