"""merge_gates.py: a correct merge passes, and for each kind of wrong merge a gate fails."""

import shutil

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from pipeline.models.merge_gates import judge_merge, load_plain_model, load_probes

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


def failed(base, folder, target="merged") -> set[str]:
    probes = load_probes(base, folder / "val.jsonl", "2020-02-02")
    gates = judge_merge(base, folder / "adapter", folder / target, probes, "float32")
    return {row["gate"] for row in gates if not row["passed"]}


def damage(folder, change) -> None:
    """Copy the merged model, and change its weights."""
    shutil.copytree(folder / "merged", folder / "damaged", dirs_exist_ok=True)
    weights = load_file(folder / "merged" / "model.safetensors")
    change(weights)
    save_file(weights, folder / "damaged" / "model.safetensors", metadata={"format": "pt"})


def test_a_whole_merge_passes(merged):
    assert failed(*merged) == set()


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
