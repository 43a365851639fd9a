"""Two processes, and rows that do not divide between them: each kind of training is given every row, and counts it.

DPO is in test_four_ranks.py. SimPO is CPO with another loss.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings.losses import OWN_SETTINGS
from tests.support.tutorial_run import FLOAT32, build_model, train_tutorial, tutorial_pairs, write_pairs

pytestmark = pytest.mark.ci("a training that leaves rows out")

PAIRS = 7
SHORT = FLOAT32 | {
    **{
        "lora_dropout": 0,
        "max_length": 512,
        "dataloader_num_workers": 0,
        "eval_strategy": "no",
        "eval_on_start": False,
    },
    **{"per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "num_train_epochs": 1},
    **dict.fromkeys(OWN_SETTINGS),
}
KTO = {"loss_type": "kto", "desirable_weight": 1.0, "undesirable_weight": 1.0}
# Settings of each kind, its rows, and its steps of two rows on each process.
KINDS: dict[str, tuple[dict[str, Any], int, int]] = {
    "kto": (KTO, 2 * PAIRS, 4),
    "cpo": ({"loss_type": "sigmoid", "cpo_alpha": 1.0}, PAIRS, 2),
    "orpo": ({"loss_type": None}, PAIRS, 2),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return build_model(tmp_path_factory.mktemp("model"), 2)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_are_given_every_row(model, tmp_path, kind):
    own, rows, steps = KINDS[kind]
    pairs = write_pairs(tmp_path / "pairs.jsonl", tutorial_pairs()[:PAIRS])
    curves = train_tutorial(model, pairs, tmp_path / "run", 2, SHORT | {"rlhf_type": kind} | own)
    assert [row["step"] for row in curves] == list(range(1, steps + 1))
    gates = {row["gate"]: row for row in json.loads((tmp_path / "run/dpo/gates.json").read_text(encoding="utf-8"))}
    assert (gates["rows_trained"]["value"], gates["rows_trained"]["passed"]) == (rows, True)
