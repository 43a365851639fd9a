"""merge_gates.py: a correct merge passes, and for each kind of wrong merge a gate fails."""

import json
import re
import shutil

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from pipeline.models.merge_gates import (
    adapted_layers,
    distance,
    judge_description,
    judge_merge,
    judge_sums,
    judge_weights,
    load_plain_model,
    load_probes,
)

pytestmark = pytest.mark.training_environment

PAIR = '{"messages": [{"role": "user", "content": "保存"}, {"role": "assistant", "content": "Save it"}]}\n'


@pytest.fixture(scope="module", params=["attention", "experts"])
def merged(request, built, tmp_path_factory):
    """Return a model, an adapter of its attention or of its experts with some weights, and both merged."""
    folder = tmp_path_factory.mktemp("merge")
    model = load_plain_model(built[0], "bfloat16")
    parts = {"target_modules": ["q_proj", "v_proj"]}
    if request.param == "experts":
        parts = {"target_modules": [], "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}
    torch.manual_seed(1)
    policy = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, init_lora_weights=False, **parts))
    policy.save_pretrained(folder / "adapter")
    again = PeftModel.from_pretrained(load_plain_model(built[0], "bfloat16"), folder / "adapter")
    again.merge_and_unload().save_pretrained(folder / "merged")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(built[0] / name, folder / "merged" / name)
    (folder / "val.jsonl").write_text(PAIR, encoding="utf-8")
    return built[0], folder


def failed(base, folder, target="merged", adapter="adapter") -> set[str]:
    probes = load_probes(base, folder / "val.jsonl", {"date": "2020-02-02", "reasoning_effort": "medium"})
    return names_of_failed(judge_merge(base, folder / adapter, folder / target, probes, "float32"))


def names_of_failed(gates) -> set[str]:
    return {row["gate"] for row in gates if not row["passed"]}


def damage(folder, change) -> None:
    """Copy the merged model, and change its weights."""
    shutil.copytree(folder / "merged", folder / "damaged", dirs_exist_ok=True)
    weights = load_file(folder / "merged" / "model.safetensors")
    change(weights)
    save_file(weights, folder / "damaged" / "model.safetensors", metadata={"format": "pt"})


def test_a_whole_merge_passes(merged):
    assert failed(*merged) == set()


def test_a_merge_without_any_rounding_passes(merged, tmp_path):
    base, folder = merged
    policy = PeftModel.from_pretrained(load_plain_model(base, "float32"), folder / "adapter")
    layers = adapted_layers(policy)
    exact = PeftModel.from_pretrained(load_plain_model(base, "float32"), folder / "adapter").merge_and_unload()
    exact.save_pretrained(tmp_path / "exact")
    found = judge_sums(layers, tmp_path / "exact")
    assert found["passed"] and found["value"].startswith("0.00e+00 of weight and update off")


def test_the_base_itself_is_not_its_merge(merged):
    base, folder = merged
    shutil.copytree(base, folder / "damaged", dirs_exist_ok=True)
    assert failed(base, folder, "damaged") == {
        *("merged_logits", "merged_is_not_base", "merged_weights", "target_weights")
    }


def test_a_weight_that_is_no_target_must_not_move(merged):
    base, folder = merged
    damage(folder, lambda weights: weights["model.layers.0.self_attn.o_proj.weight"].mul_(1.01))
    assert "other_weights" in failed(base, folder, "damaged")


def test_an_update_of_half_the_strength_is_found(merged):
    base, folder = merged
    old = load_file(base / "model.safetensors")

    def halve(weights):
        for name, weight in weights.items():
            weight.copy_((weight.float() + old[name].float()) / 2)

    damage(folder, halve)
    assert "merged_weights" in failed(base, folder, "damaged")


def test_one_number_that_is_off_is_found(merged):
    base, folder = merged
    old = load_file(base / "model.safetensors")

    def double(weights):
        changed = next(name for name, weight in weights.items() if not torch.equal(weight, old[name]))
        weights[changed].view(-1)[:1].mul_(2)

    damage(folder, double)
    assert failed(base, folder, "damaged") == {"merged_weights"}


def test_a_changed_config_is_named(merged):
    base, folder = merged
    damage(folder, lambda weights: None)
    config = folder / "damaged" / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"rms_norm_eps": 1e-05', '"rms_norm_eps": 1e-06'))
    assert "config_and_tokenizer" in failed(base, folder, "damaged")


def test_a_weak_update_with_the_wrong_sign_is_found_by_the_logits(merged):
    # Its logits are near the adapter's, as the base's are, and farther from them than the base's.
    base, folder = merged
    old, share = load_file(base / "model.safetensors"), 0.005
    shutil.copytree(folder / "adapter", folder / "weak", dirs_exist_ok=True)
    factors = load_file(folder / "adapter" / "adapter_model.safetensors")
    weak = {name: weight * share if ".lora_B." in name else weight for name, weight in factors.items()}
    save_file(weak, folder / "weak" / "adapter_model.safetensors")

    def subtract(weights):
        for name, weight in weights.items():
            weight.copy_(old[name].float() - share * (weight.float() - old[name].float()))

    damage(folder, subtract)
    assert "merged_logits" in failed(base, folder, "damaged", "weak")


def test_an_adapter_without_layers_changes_nothing_and_fails(built):
    assert names_of_failed(judge_weights(built[0], built[0], set())) == {"target_weights"}
    assert names_of_failed([judge_sums({}, built[0])]) == {"merged_weights"}


def test_the_logits_have_to_be_near_the_adapters_and_nearer_than_the_bases(merged):
    base, folder = merged
    probes = load_probes(base, folder / "val.jsonl", {"date": "2020-02-02", "reasoning_effort": "medium"})
    near, other, *_ = judge_merge(base, folder / "adapter", folder / "merged", probes, "float32")
    assert re.fullmatch(r"\d\.\d\de-\d\d from the adapter's", near["value"])
    assert re.fullmatch(r"at most 0\.\d+ of their norm, and nearer than the base's", near["expected"])
    assert (other["value"].partition(" ")[2], other["expected"]) == ("from the base's", "above 0")


@pytest.mark.parametrize(
    ("target", "seen", "others"),
    [("a", "least 5.00e-01 of its norm, 1 targets", "2 weights unchanged"), ("b", "b did not move", "a moved")],
)
def test_what_moved_and_what_did_not_is_said(tmp_path, target, seen, others):
    before = {name: torch.ones(4) for name in "abc"}
    for folder, weights in (("before", before), ("after", before | {"a": torch.full((4,), 1.5)})):
        (tmp_path / folder).mkdir()
        save_file(weights, tmp_path / folder / "model.safetensors")
    gates = judge_weights(tmp_path / "before", tmp_path / "after", {target})
    assert [row["value"] for row in gates] == [seen, others]


def save_without(weights, name, folder) -> None:
    """Save all weights but one into a folder of their own."""
    folder.mkdir(exist_ok=True)
    save_file({own: weight for own, weight in weights.items() if own != name}, folder / "model.safetensors")


@pytest.mark.parametrize("lacking", ["before", "after"])
def test_a_weight_that_only_one_of_the_models_has_stops_it(tmp_path, lacking):
    weights = {"a": torch.ones(2), "b": torch.ones(2)}
    for folder in ("before", "after"):
        save_without(weights, "b" if folder == lacking else None, tmp_path / folder)
    with pytest.raises(RuntimeError, match="b is in one of them only"):
        judge_weights(tmp_path / "before", tmp_path / "after", {"a"})


def test_a_model_of_which_a_weight_is_missing_is_not_judged(built, tmp_path):
    shutil.copytree(built[0], tmp_path / "model")
    save_without(load_file(built[0] / "model.safetensors"), "model.norm.weight", tmp_path / "model")
    # plugins/whole_model.py says so first in a process that has loaded it, as the merge has.
    with pytest.raises(RuntimeError, match=r"model\.norm\.weight"):
        load_plain_model(tmp_path / "model", "float32")


def test_another_tokenizer_is_named(built, tmp_path):
    shutil.copytree(built[0], tmp_path / "model")
    file = tmp_path / "model" / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"normalizer": null', '"normalizer": {"type": "NFC"}'))
    assert judge_description(built[0], tmp_path / "model")["value"] == "changed: the tokenizer"
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"rms_norm_eps": 1e-05', '"rms_norm_eps": 1e-06'))
    assert judge_description(built[0], tmp_path / "model")["value"] == "changed: rms_norm_eps, the tokenizer"


def test_the_config_of_the_published_model_and_what_transformers_writes_of_it_are_the_same(built, tmp_path):
    shutil.copytree(built[0], tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    rope = config.pop("rope_parameters")
    older = {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}
    usual = ("attention_bias", "attention_dropout", "rms_norm_eps", "swiglu_limit", "hidden_act", "tie_word_embeddings")
    file.write_text(json.dumps({key: value for key, value in (config | older).items() if key not in usual}))
    assert judge_description(tmp_path / "model", built[0])["passed"]


@pytest.mark.parametrize(("small", "passed"), [(0.01003, True), (0.02, False)])
def test_a_small_number_has_to_be_right_among_large_ones(tmp_path, small, passed):
    linear = torch.nn.Linear(4, 4, bias=False)
    weight = torch.ones(4, 4)
    weight[0, 0] = 0.01
    linear.weight.data = weight.clone()
    layers = adapted_layers(get_peft_model(torch.nn.Sequential(linear), LoraConfig(target_modules=["0"])))
    weight[0, 0] = small
    save_file(dict.fromkeys(layers, weight), tmp_path / "model.safetensors")
    assert judge_sums(layers, tmp_path)["passed"] is passed


def test_the_distance_of_logits_is_a_share_of_the_norm():
    one, other = ([torch.tensor([5.0, 0.0]), torch.tensor([0.0])], [torch.tensor([4.0, 0.0]), torch.tensor([0.0])])
    assert distance(one, other) == 0.25
