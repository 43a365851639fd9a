"""infer.backend: vllm, as far as it goes without vLLM: ms-swift runs in earnest, and hands over to a stand-in."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.models.render_chat import load_prompt_renderer

pytestmark = pytest.mark.training_environment

PROMPT = {"date": "2020-02-02", "reasoning_effort": "medium"}
SETTINGS = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
SETTINGS["prompt"] = PROMPT
SETTINGS["infer"] |= {"backend": "vllm", "gpus": 2, "torch_dtype": "bfloat16", "max_new_tokens": 7}
SAMPLING = {"temperature": 0.7, "top_p": 0.9, "top_k": 5, "repetition_penalty": 1.1}
SETTINGS["infer"] |= SAMPLING | {"seed": 3, "answers_per_prompt": 2}
GIVEN_BY_SLURM = {"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": "0,1"}  # no GPU is here to be claimed
PAIRS = [
    {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes"}]}
    for text in ("first", "second", "third")
]
PAIRS[1]["chat_template_kwargs"] = {"reasoning_effort": "medium"}


@pytest.fixture(scope="module")
def answered(built, tmp_path_factory) -> dict[str, Any]:
    """Answer the pairs' prompts; return the rows, and what the stand-in for vLLM was given."""
    folder = tmp_path_factory.mktemp("vllm")
    (folder / "vllm").mkdir()
    shutil.copy("tests/support/vllm_stand_in.py", folder / "vllm" / "__init__.py")
    (folder / "val.jsonl").write_text("".join(f"{json.dumps(pair)}\n" for pair in PAIRS), encoding="utf-8")
    options = {"model": built[0], "manifest": f"{built[0]}.sha256", "val": folder / "val.jsonl", "shard": 0}
    options |= {"settings": json.dumps(SETTINGS), "answers": folder / "answers.jsonl"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "scripts.infer_shard", *words],
        env=os.environ | GIVEN_BY_SLURM | {"PATH": path, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    given = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "rows": rows,
        "engine": next(words["engine"] for words in given if "engine" in words),
        "prompts": [words for words in given if "prompt" in words],
    }


def test_vllm_is_given_the_model_the_gpus_and_the_type(answered, built):
    asked = {name: answered["engine"][name] for name in ("model", "tensor_parallel_size", "dtype")}
    assert asked == {"model": str(built[0]), "tensor_parallel_size": 2, "dtype": "bfloat16"}


def test_vllm_runs_no_code_of_a_model_folder(answered):
    assert answered["engine"]["trust_remote_code"] is False


def test_vllm_is_given_the_prompts_that_check_tokens_saw(answered, built):
    render = load_prompt_renderer(built[0], PROMPT)
    asked = [render(pair) for pair in PAIRS for _ in range(2)]
    assert [given["prompt"] for given in answered["prompts"]] == asked


def test_vllm_samples_as_was_set_and_writes_no_more_tokens_than_were_set(answered):
    for given in answered["prompts"]:
        assert given["asked"].items() >= (SAMPLING | {"max_tokens": 7, "seed": None}).items()
    assert answered["engine"]["seed"] == 3


def test_answers_are_in_the_order_of_the_prompts_in_whatever_order_vllm_ends_them(answered):
    asked = [pair for pair in PAIRS for _ in range(2)]
    for row, pair in zip(answered["rows"], asked, strict=True):
        assert pair["messages"][0]["content"] in row["response"]
        assert row["messages"][-1] == {"role": "assistant", "content": row["response"]}


def test_the_effort_of_a_row_goes_to_ms_swift_with_its_messages(answered):
    efforts = [row["chat_template_kwargs"]["reasoning_effort"] for row in answered["rows"]]
    assert efforts == ["", "", "medium", "medium", "", ""]


def test_each_answer_says_how_it_ended(answered):
    # The stand-in answers with the prompt, which ends with an open message.
    assert {row["finish"] for row in answered["rows"]} == {"stop"}
    assert all(row["final_tokens"] > 0 for row in answered["rows"])
