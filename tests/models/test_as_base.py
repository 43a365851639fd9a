"""A merge into a packed model, by merge_adapter.py: it keeps its files, or is in bfloat16 where it cannot."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from pipeline.files.folder_manifest import list_files, manifest_beside, write_manifest
from pipeline.gates import gate, read_gates
from pipeline.models.as_base import judge_as_base, list_targets, write_as_base
from pipeline.models.dequantised_folder import write_plain
from pipeline.models.merge_gates import load_plain_model
from pipeline.models.model_gate import judge_files
from pipeline.models.model_weights import read_tensors
from pipeline.models.weight_file import read_bytes
from scripts import dequantise_model, infer_shard, merge_adapter, score_pairs
from tests.support.model_folders import SHARDS, write_model_folder

pytestmark = pytest.mark.training_environment

PAIR = {
    "id": "row-1",
    "messages": [{"role": "user", "content": "保存"}, {"role": "assistant", "content": "Save it"}],
    "rejected_response": "Please save",
}
PROMPT = {"date": "2020-02-02", "reasoning_effort": "medium"}
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")


def write_base(folder, tokenizer, **config):
    """Write a packed model with a tokenizer; dequantise it, and return that."""
    packed = folder / "packed"
    packed.mkdir(parents=True)
    for path in list_files(tokenizer):
        if path.name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
            shutil.copy(path, packed / path.name)
    tokens = json.loads((tokenizer / "config.json").read_text(encoding="utf-8"))
    names = ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")
    write_model_folder(packed, **{name: tokens[name] for name in names} | config)
    write_manifest(packed, manifest_beside(packed))
    plain = folder / "plain"
    words = {"--manifest": manifest_beside(packed), "--folder": plain}
    dequantise_model.main([str(packed), *(str(word) for pair in words.items() for word in pair)])
    return plain


def write_adapter(folder, model, **parts):
    """Write an adapter of a model with some weights, and its manifest."""
    torch.manual_seed(1)
    settings = {"target_modules": list(PROJECTIONS)} | parts
    lora = LoraConfig(r=4, lora_alpha=8, init_lora_weights=False, **settings)
    get_peft_model(load_plain_model(model, "float32"), lora).save_pretrained(folder)
    write_manifest(folder, manifest_beside(folder))
    return folder


def merge_by_hand(model, adapter, folder):
    """Merge an adapter into a model in bfloat16, without ms-swift; return the result."""
    policy = PeftModel.from_pretrained(load_plain_model(model, "bfloat16"), adapter).merge_and_unload()
    policy.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model / name, folder / name)
    return folder


def merge(place, adapter="adapter", out="run", chosen="auto"):
    """Merge an adapter into the packed model, and return the result."""
    kept = {"max_shard_size": "5GB", "format": chosen}
    settings = {"infer": {"gpus": 0, "torch_dtype": "float32"}, "merge": kept, "prompt": PROMPT}
    options = {"settings": json.dumps(settings), "model": place / "packed", "manifest": place / "packed.sha256"}
    options |= {"adapter": place / adapter, "val": place / "val.jsonl", "out": place / out}
    merge_adapter.main([f"--{name}={value}" for name, value in options.items()])
    return place / out / "merged"


@pytest.fixture(scope="module")
def place(built, tmp_path_factory):
    """Return a folder with a packed base, the same in bfloat16, an adapter, and held-out pairs."""
    folder = tmp_path_factory.mktemp("as_base")
    write_adapter(folder / "adapter", write_base(folder, built[0]))
    (folder / "val.jsonl").write_text(json.dumps(PAIR) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def merged(place):
    """Return the merge of that, as its base came."""
    return merge(place)


@pytest.fixture(scope="module")
def by_hand(place):
    """Return a merge in bfloat16, by peft."""
    return merge_by_hand(place / "plain", place / "adapter", place / "by_hand")


def changed_tensors(one, other) -> list[str]:
    """Return the names of the tensors whose bytes differ between two models."""
    before, after = read_tensors(one), read_tensors(other)
    assert list(before) == list(after)
    same = {name: b"".join(read_bytes(before[name])) == b"".join(read_bytes(after[name])) for name in before}
    return sorted(name for name, is_same in same.items() if not is_same)


def test_only_the_tensors_of_the_adapter_differ_from_the_bases(place, merged):
    expected = [f"model.layers.{layer}.self_attn.{name}.weight" for layer in (0, 1) for name in PROJECTIONS]
    assert changed_tensors(place / "packed", merged) == sorted(expected)


def test_the_files_have_the_names_the_sizes_and_the_places_of_the_bases(place, merged):
    ours, theirs = ({p.name: p.stat().st_size for p in list_files(one)} for one in (merged, place / "packed"))
    assert ours == theirs
    before, after = read_tensors(place / "packed"), read_tensors(merged)
    places = [[(stored.file.name, stored.start) for stored in tensors.values()] for tensors in (before, after)]
    assert places[0] == places[1]
    for name in {*ours} - {*SHARDS}:
        assert (merged / name).read_bytes() == (place / "packed" / name).read_bytes()


def test_dequantised_it_is_the_merge_in_bfloat16(place, merged, by_hand):
    (again := place / "again").mkdir(exist_ok=True)
    write_plain(merged, again)
    assert changed_values(again, by_hand) == []


def changed_values(one, other) -> list[str]:
    """Return the names of the tensors whose numbers differ between two models, in whatever files they are."""
    mine, yours = (
        {n: t for p in folder.glob("*.safetensors") for n, t in load_file(p).items()} for folder in (one, other)
    )
    assert mine.keys() == yours.keys()
    return sorted(name for name, tensor in mine.items() if not torch.equal(tensor, yours[name]))


def test_every_gate_is_recorded_and_passed_and_nothing_else_is_left(place, merged):
    gates = read_gates(place / "run" / "merge" / "gates.json")
    assert [row["gate"] for row in gates if not row["passed"]] == []
    assert [row["gate"] for row in gates][2:4] == ["kept_files", "kept_tensors"]
    assert sorted(path.name for path in (place / "run").rglob("*") if path.parent != merged) == [
        *("gates.json", "merge", "merged", "merged.sha256")
    ]
    assert judge_files("model_files", merged, manifest_beside(merged))["passed"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_pairs_are_scored_under_it_as_under_the_merge_in_bfloat16(merged, by_hand, tmp_path, dtype):
    scores = [score(model, tmp_path / name, dtype) for name, model in (("packed", merged), ("plain", by_hand))]
    assert scores[0] == scores[1]


def score(model, folder, dtype) -> bytes:
    """Return the scores of a pair under a model."""
    folder.mkdir()
    settings = {
        "infer": {"gpus": 0, "shards": 1, "torch_dtype": dtype, "attn_impl": "eager"},
        "dpo": {
            **{"experts_impl": None, "max_length": 4096},
            **{"truncation_strategy": "delete", "loss_scale": "last_round"},
        },
        "evaluate": {"batch_size": 4},
        "prompt": PROMPT,
    }
    options = {"settings": json.dumps(settings), "model": model, "shard": 0}
    write_manifest(model, folder / "model.sha256")
    options |= {"manifest": folder / "model.sha256", "pairs": folder / "pairs.jsonl"}
    (folder / "pairs.jsonl").write_text(json.dumps(PAIR) + "\n", encoding="utf-8")
    options["scores"] = folder / "scores.jsonl"
    score_pairs.main([f"--{name}={value}" for name, value in options.items()])
    return (folder / "scores.jsonl").read_bytes()


def test_it_answers_as_the_merge_in_bfloat16_does(merged, by_hand, tmp_path):
    answers = [answer(model, tmp_path / name) for name, model in (("packed", merged), ("plain", by_hand))]
    assert answers[0] == answers[1] != ""


def answer(model, folder) -> str:
    """Return the answer of a model to a prompt, by `swift infer`."""
    folder.mkdir()
    infer = {"gpus": 0, "shards": 1, "answers_per_prompt": 1, "backend": "transformers", "max_new_tokens": 8}
    infer |= {"temperature": 0, "repetition_penalty": None, "max_batch_size": 1, "torch_dtype": "float32"}
    settings = {"infer": infer | {"attn_impl": "eager"}, "dpo": {"experts_impl": "eager"}, "prompt": PROMPT}
    write_manifest(model, folder / "model.sha256")
    (folder / "val.jsonl").write_text(json.dumps(PAIR) + "\n", encoding="utf-8")
    options = {"settings": json.dumps(settings), "model": model, "manifest": folder / "model.sha256", "shard": 0}
    options |= {"val": folder / "val.jsonl", "answers": folder / "0.jsonl"}
    infer_shard.main([f"--{name}={value}" for name, value in options.items()])
    return str(json.loads((folder / "0.jsonl").read_text(encoding="utf-8"))["response"])


def test_asked_for_in_bfloat16_it_is_the_merge_into_the_dequantised_model(place, by_hand):
    assert changed_values(merge(place, out="asked", chosen="bfloat16"), by_hand) == []
    assert sorted(path.name for path in (place / "asked" / "merge").iterdir()) == ["gates.json"]


def test_with_experts_that_were_trained_it_is_in_bfloat16(place):
    parts = {"target_modules": [], "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}
    adapter = write_adapter(place / "of_experts", place / "plain", **parts)
    merged = merge(place, adapter="of_experts", out="trained")
    by_hand = merge_by_hand(place / "plain", adapter, place / "trained_by_hand")
    assert changed_values(merged, by_hand) == []


@pytest.mark.parametrize(
    ("tensor", "failed"),
    [
        ("model.layers.1.mlp.experts.down_proj_blocks", {"kept_tensors"}),
        ("model.layers.1.mlp.experts.down_proj_scales", {"kept_tensors"}),
        ("model.layers.1.mlp.experts.down_proj_bias", {"kept_tensors"}),
        ("model.layers.1.mlp.router.weight", {"kept_tensors"}),
        ("model.embed_tokens.weight", {"kept_tensors"}),
        ("chat_template.jinja", {"kept_files"}),
        ("tokenizer.json", {"kept_files"}),
    ],
)
def test_one_byte_that_differs_fails(place, by_hand, tmp_path, tensor, failed):
    (folder := tmp_path / "merged").mkdir()
    write_as_base(place / "packed", by_hand, place / "adapter", folder)
    stored = read_tensors(folder).get(tensor)
    path, last = (stored.file, stored.start + stored.kind.size - 1) if stored else (folder / tensor, -1)
    content = bytearray(path.read_bytes())
    content[last] ^= 1
    path.write_bytes(content)
    gates = judge_as_base(place / "packed", place / "adapter", folder)
    assert {row["gate"] for row in gates if not row["passed"]} == failed


def test_a_gate_that_fails_leaves_no_model(place, monkeypatch):
    failed = [gate("kept_tensors", False, "one differs", "the base's")]
    monkeypatch.setattr(merge_adapter, "judge_as_base", lambda *_: failed)
    with pytest.raises(SystemExit, match="kept_tensors is one differs, expected the base's"):
        merge(place, out="failed")
    assert [path.name for path in (place / "failed").rglob("*") if path.is_file()] == ["gates.json"]


@pytest.mark.parametrize(
    ("tensor", "changed"),
    [
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "model.layers.0.self_attn.q_proj.weight"),
        ("base_model.model.model.embed_tokens.lora_embedding_A", "model.embed_tokens.weight"),
        ("base_model.model.lm_head.weight", "lm_head.weight"),
        ("base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias", "model.layers.0.self_attn.q_proj.bias"),
    ],
)
def test_an_adapters_tensors_say_what_it_changes(tmp_path, tensor, changed):
    save_file({tensor: torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    assert list_targets(tmp_path) == {changed}
