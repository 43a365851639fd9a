"""score_pairs.py: scores equal those of a plain loop, for any number of shards, and after a stop at any point."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from pipeline.files.folder_manifest import write_manifest
from pipeline.files.json_lines import read_json_lines
from pipeline.models import answer_logps
from scripts import score_pairs
from tests.support.plain_forward import score_pairs as score_plainly
from tests.support.processes import wait_until
from tests.support.project import ROOT

pytestmark = pytest.mark.training_environment

PROMPT = {"date": "2020-02-02", "reasoning_effort": "medium"}
SETTINGS = {
    "infer": {"gpus": 0, "shards": 1, "torch_dtype": "float32", "attn_impl": "eager"},
    "dpo": {
        **{"experts_impl": None, "max_length": 4096},
        **{"truncation_strategy": "delete", "loss_scale": "last_round"},
    },
    "evaluate": {"batch_size": 4},
    "prompt": PROMPT,
}
ROUNDING = 5e-4  # of a sum of some hundred log-probabilities in float32, and of its four decimals
PAIRS = [
    {
        **{"id": f"row-{n}", **({"tag": "odd"} if n % 2 else {})},
        "messages": [
            {"role": "user", "content": "保存文件 " * (1 + 5 * n % 7)},
            {"role": "assistant", "content": "Save it " * (1 + 3 * n % 11)},
        ],
        "rejected_response": "Please! " * (1 + 7 * n % 13),
    }
    for n in range(11)
]


@pytest.fixture(scope="module")
def adapter(built, tmp_path_factory):
    """Return an adapter with some weights, and its manifest beside it."""
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(built[0], dtype=torch.float32)
    lora = LoraConfig(r=4, lora_alpha=32, init_lora_weights=False, target_modules=["q_proj", "v_proj"])
    get_peft_model(model, lora).save_pretrained(folder)
    write_manifest(folder, folder.with_name("adapter.sha256"))
    return folder


@pytest.fixture
def score(built, tmp_path):
    """Return a function that scores the pairs and returns the rows, under changed settings."""

    def run(model=built[0], **changes) -> list[dict]:
        score_pairs.main(command(model, tmp_path, PAIRS, **changes))
        return read_json_lines(tmp_path / "scores.jsonl")

    return run


def command(model, folder, pairs=PAIRS, adapter=None, shard=0, **changes) -> list[str]:
    """Return the script's arguments, with files of a folder; changes are of settings, by their names."""
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    options = {"model": model, "pairs": folder / "pairs.jsonl", "scores": folder / "scores.jsonl", "shard": shard}
    options |= {"settings": json.dumps(changed(**changes))} | ({"adapter": adapter} if adapter else {})
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def changed(**changes) -> dict:
    """Return the settings that the stage reads, some of them changed."""
    assert set(changes) <= {name for section in SETTINGS.values() for name in section}
    return {
        section: values | {name: value for name, value in changes.items() if name in values}
        for section, values in SETTINGS.items()
    }


def sums(rows: list[dict]) -> torch.Tensor:
    return torch.tensor([[row["chosen_logp"], row["rejected_logp"]] for row in rows])


def refusal(capsys, run, **settings) -> str:
    """Return the one line with which the script stops."""
    with pytest.raises(SystemExit) as stopped:
        run(**settings)
    line = str(stopped.value)
    assert "\n" not in line and "Traceback" not in capsys.readouterr().err
    return line


def test_scores_are_those_of_one_conversation_at_a_time(built, score):
    plain = [
        [answer.policy.sum() for answer in pair] for pair in score_plainly(built[0], None, PAIRS, PROMPT, "last_round")
    ]
    assert torch.allclose(sums(score()), torch.tensor(plain), atol=ROUNDING)


def test_an_adapter_is_scored_on_its_model(built, adapter, score):
    scored = score_plainly(built[0], adapter, PAIRS, PROMPT, "last_round")
    plain = torch.tensor([[answer.policy.sum() for answer in pair] for pair in scored])
    base = torch.tensor([[answer.ref.sum() for answer in pair] for pair in scored])
    assert torch.allclose(sums(score(adapter=adapter)), plain, atol=ROUNDING)
    assert not torch.allclose(plain, base, atol=ROUNDING)


def test_rows_name_their_pairs_in_order_and_count_the_tokens_that_the_loss_counts(built, score):
    scored = score_plainly(built[0], None, PAIRS, PROMPT, "last_round")
    counts = [tuple(len(answer.policy) for answer in pair) for pair in scored]
    rows = score()
    assert [(row["id"], row.get("tag")) for row in rows] == [(pair["id"], pair.get("tag")) for pair in PAIRS]
    assert [(row["chosen_tokens"], row["rejected_tokens"]) for row in rows] == counts


def test_a_pair_at_a_time_has_the_same_scores_in_any_number_of_shards(score):
    whole = score(batch_size=1)
    dealt = [score(batch_size=1, shard=shard, shards=3) for shard in range(3)]
    assert [dealt[n % 3][n // 3] for n in range(len(PAIRS))] == whole


def test_the_size_of_a_batch_changes_scores_by_rounding_only(score):
    assert torch.allclose(sums(score(batch_size=1)), sums(score(batch_size=11)), atol=ROUNDING)


def test_logits_of_some_tokens_at_a_time_give_the_same_scores(score, monkeypatch):
    whole = sums(score())
    monkeypatch.setattr(answer_logps, "TOKENS_AT_ONCE", 5)
    assert torch.allclose(sums(score()), whole, atol=ROUNDING)


def test_a_batch_that_does_not_fit_is_scored_in_halves():
    def room_for_two(conversations: list[int]) -> list[float]:
        if len(conversations) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return [float(one) for one in conversations]

    pairs = [(n, -n) for n in range(7)]
    assert answer_logps.score_rows(room_for_two, pairs) == pairs


def test_a_killed_job_goes_on_with_the_pairs_that_it_had_scored(built, tmp_path, capfd):
    many = [PAIRS[n % 11] | {"id": f"row-{n}"} for n in range(24)]
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    score_pairs.main(command(built[0], undisturbed, many, batch_size=1))

    arguments = command(built[0], tmp_path, many, batch_size=1)
    script = [sys.executable, "-m", "scripts.score_pairs", *arguments]
    with subprocess.Popen(script, cwd=ROOT, stdout=subprocess.DEVNULL, env=dict(os.environ)) as job:
        assert wait_until(lambda: sum(begun.stat().st_size for begun in tmp_path.glob("scores.jsonl.*.begun")))
        job.kill()
    assert job.returncode == -signal.SIGKILL
    assert not (tmp_path / "scores.jsonl").exists()

    capfd.readouterr()
    score_pairs.main(arguments)
    assert "\n1 of 24 pairs" not in f"\n{capfd.readouterr().out}"
    assert (tmp_path / "scores.jsonl").read_bytes() == (undisturbed / "scores.jsonl").read_bytes()
    assert not list(tmp_path.glob("*.begun"))


def test_a_folder_without_a_model_is_named(score, capsys, tmp_path):
    assert "nothing: config.json is missing" in refusal(capsys, score, model=tmp_path / "nothing")


def test_a_model_of_which_a_weight_is_missing_is_refused(built, score, capsys, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(built[0], damaged)
    weights = load_file(damaged / "model.safetensors")
    del weights["model.layers.0.self_attn.q_proj.weight"]
    save_file(weights, damaged / "model.safetensors", metadata={"format": "pt"})
    write_manifest(damaged, tmp_path / "damaged.sha256")
    said = refusal(capsys, score, model=damaged)
    assert "damaged: cannot be loaded" in said and "missing: 1 (model.layers.0.self_attn.q_proj.weight)" in said


def test_a_pair_that_the_training_would_leave_out_is_named(score, capsys):
    assert "pair row-0" in refusal(capsys, score, max_length=20)


def test_a_shard_without_pairs_is_named(score, capsys):
    assert "no pair left for shard 11 of 12" in refusal(capsys, score, shard=11, shards=12)
