"""Every stage on another day: training and inference give the model the same tokens that the checks saw."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.models.render_chat import load_pair_encoder, load_prompt_renderer, load_renderer
from scripts.build_tiny_model import main as build_tiny_model
from tests.support import another_day
from tests.support.training_fixtures import SHAPE

pytestmark = pytest.mark.training_environment

PROMPT = {"date": "2020-02-02", "reasoning_effort": "medium"}
PAIR = {
    "messages": [
        {"role": "system", "content": "Translate."},
        {"role": "user", "content": "保存"},
        {"role": "assistant", "content": "Save"},
        {"role": "user", "content": "打开"},
        {"role": "assistant", "content": "Open"},
    ],
    "rejected_response": "Opening",
}
CONFIG = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
DPO = CONFIG["dpo"]
ONE_STEP = {"num_train_epochs": 1, "eval_strategy": "no", "eval_on_start": False}


def run_tomorrow(script: str, options: dict[str, object], *rest: str) -> str:
    """Run a script with the clock a day ahead, and return its output; it must succeed."""
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", f"scripts.{script}", *words, *rest],
        env=os.environ | another_day.environment(1) | {"PATH": path, "SWIFT_DEBUG": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def logged(output: str, name: str) -> list[int]:
    """Return the numbers that ms-swift logged under a name."""
    (found,) = re.findall(rf"\[{name}\] (\[[\d, -]+\])", output)
    numbers: list[int] = json.loads(found)
    return numbers


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(json.dumps(PAIR) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def training(built, rows, tmp_path_factory):
    """Return the log of a training of one step on the pair."""
    folder = tmp_path_factory.mktemp("training")
    changed = {
        "dpo": DPO | ONE_STEP,
        "train": CONFIG["train"] | {"gpus": 0, "cpu_processes": 1},
        "prompt": PROMPT,
        "tracking": CONFIG["tracking"] | {"mode": "disabled"},
    }
    options = {"settings": json.dumps({"gates": CONFIG["gates"], **changed}), "model": built[0]}
    options |= {"manifest": f"{built[0]}.sha256", "checkpoints": folder / "checkpoints", "out": folder / "dpo"}
    return run_tomorrow("train_dpo", options, "--pairs", str(rows), str(rows))


def test_training_sees_the_tokens_and_masks_that_check_tokens_saw(training, built):
    checked = load_pair_encoder(built[0], PROMPT, loss_scale=DPO["loss_scale"])(PAIR)
    for answer in ("chosen", "rejected"):
        assert logged(training, f"{answer.upper()}_INPUT_IDS") == checked[f"{answer}_input_ids"]
        assert logged(training, f"{answer.upper()}_LABELS_IDS") == checked[f"{answer}_labels"]


def test_inference_sends_the_prompt_that_check_tokens_saw(built, rows, tmp_path):
    settings = {"infer": CONFIG["infer"] | {"max_new_tokens": 1}, "dpo": DPO, "prompt": PROMPT}
    options = {"settings": json.dumps(settings), "model": built[0]}
    options |= {"manifest": f"{built[0]}.sha256", "val": rows, "shard": 0, "answers": tmp_path / "answers.jsonl"}
    output = run_tomorrow("infer_shard", options)
    assert logged(output, "INPUT_IDS") == load_prompt_renderer(built[0], PROMPT)(PAIR)


def test_the_tiny_model_is_taught_on_what_training_sees(built):
    ids, _ = load_renderer(built[0], PROMPT)(PAIR)
    assert ids == load_pair_encoder(built[0], PROMPT)(PAIR)["chosen_input_ids"]


def test_a_tiny_model_that_is_built_tomorrow_is_the_same_byte_for_byte(built, tmp_path):
    train = built[0].parents[1] / "train.jsonl"
    shape = SHAPE | {"hidden_size": 32, "intermediate_size": 32}  # as packed weights need
    settings = json.dumps({"model": {"tiny": shape}, "prompt": PROMPT})
    today, tomorrow = tmp_path / "today" / "model", tmp_path / "tomorrow" / "model"
    build_tiny_model([str(train), "--settings", settings, "--folder", str(today)])
    run_tomorrow("build_tiny_model", {"settings": settings, "folder": tomorrow}, str(train))
    assert tomorrow.with_suffix(".sha256").read_bytes() == today.with_suffix(".sha256").read_bytes()
