"""The files that a model card is written from, in the forms that the stages write, and the card."""

import json
from pathlib import Path
from typing import Any

from pipeline.preferences.analyses import NOT_ADDED
from scripts.write_model_card import main

SETTINGS: dict[str, Any] = {
    "data": {
        "raw": "data/preferences.jsonl", "val": None, "languages": {"source": "zh", "target": "en"}, "system": None,
        "analyses": None,
    },
    "model": {"folder": None, "random": False},
    "prompt": {"date": "2026-01-01", "reasoning_effort": "medium"},
    "sft": {"enabled": False, "join": "merged"},
    "infer": {"max_new_tokens": 96},
}  # fmt: skip
SHAPE_20B = {"num_hidden_layers": 24, "hidden_size": 2880, "num_local_experts": 32}


def figure(value: float | None, n: int = 52, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """Return a figure of the evaluation."""
    return {"value": value, "n": n, "low": low, "high": high, "command": "python -m scripts.evaluate_answers"}


EVALUATION: dict[str, Any] = {
    "models": ["base", "dpo"],
    "answers": {
        "base": {"bleu": figure(2.125, 52, 1.25, 3.5), "urls_kept": figure(None, 0)},
        "dpo": {"bleu": figure(1.875, 52, 1.0, 3.0), "urls_kept": figure(None, 0)},
    },
    "pairs": {
        "base": {"preference_accuracy": figure(0.42)},
        "dpo": {
            "preference_accuracy": figure(0.6),
            "reward_accuracy": figure(0.81, 52, 0.68, 0.89),
            "by_tag": {"a|b": {"reward_accuracy": figure(0.9, 20)}},
            "by_length": {},
        },
    },
    "comparisons": {
        "dpo-base": {"bleu": {"value": -0.25, "n": 52, "low": -1.0, "high": 0.5, "p": 0.41, "command": ""}}
    },
    "signatures": {"bleu": "nrefs:1|case:mixed"},
}
NOBODY = dict.fromkeys(NOT_ADDED, 0)
FILES: dict[str, Any] = {
    "dpo/settings.json": {
        "arguments": {"rlhf_type": "dpo", "beta": 0.1, "learning_rate": 4e-05, "target_modules": ["all-linear"]},
        "versions": {"ms-swift": "4.6.0"},
    },
    "dpo/metrics.json": {"steps": 90, "loss": {"first": 0.6931, "last": 0.5}, "held_out": {"after": {"loss": 0.54}}},
    "data/quality.json": {
        "rows_in": 3, "rows_used": 2, "rows_rejected": 1, "codes": {"length-bias": 2},
        "files": [{"file": "/somewhere/else/pairs.jsonl", "format": "swift", "rows_in": 3}],
    },
    "data/held_out/quality.json": {
        "rows_in": 9, "rows_used": 9, "rows_rejected": 0, "codes": {},
        "files": [{"file": "/somewhere/else/own.jsonl", "format": "swift", "rows_in": 9}],
    },
    "data/analyses/train.json": {"asked": 6, "added": 3, "thought_already": 2, "not_added": NOBODY | {"too_long": 1}},
    "data/analyses/val.json": {"asked": 2, "added": 1, "thought_already": 0, "not_added": NOBODY | {"call": 1}},
    "data/gates.json": [{"gate": "rows_in", "passed": True, "value": 3, "expected": 3}],
    "dpo/gates.json": [{"gate": "loss_collapse", "passed": False, "value": 0.001, "expected": "at least 0.02"}],
    "merged/config.json": {"num_hidden_layers": 2, "hidden_size": 128, "num_local_experts": 16},
}  # fmt: skip
PAIRS = {"dpo/train.jsonl": '{"id": 1}\n', "dpo/val.jsonl": '{"messages": [{"role": "user", "content": "保存"}]}\n'}


def write_card(
    folder: Path, settings: dict[str, Any] | None = None, evaluation: dict[str, Any] | None = None, **files: Any
) -> str:
    """Write the card of run `tiny` below a folder, which is the working folder, and return its text.

    `settings` are put over SETTINGS by section; `files` are put over FILES by the name of the file without its ending,
    and `val` holds the held-out pairs.
    """
    run = Path("results/tiny")
    texts = {name: json.dumps(files.get(Path(name).stem, value)) for name, value in FILES.items()} | PAIRS
    if "val" in files:
        texts["dpo/val.jsonl"] = "".join(json.dumps(row) + "\n" for row in files["val"])
    texts["evaluate/metrics.json"] = json.dumps(EVALUATION if evaluation is None else evaluation)
    texts["merged.sha256"] = f"{'a' * 64}  merged/config.json\n{'b' * 64}  merged/model.safetensors\n"
    for name, text in texts.items():
        (folder / run / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / run / name).write_text(text, encoding="utf-8")
    of = {section: values | (settings or {}).get(section, {}) for section, values in SETTINGS.items()}
    main(["--settings", json.dumps(of), "--run", str(run), "--out", str(run)])
    return (folder / run / "model_card.md").read_text(encoding="utf-8")
