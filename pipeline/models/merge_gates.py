"""The gates of a merge: the result is the model with its adapter, not the model alone, and nothing else changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora.layer import LoraLayer
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from pipeline.files.json_lines import iterate_json_lines
from pipeline.gates import Gate, gate
from pipeline.launch.run_swift import Prompt
from pipeline.models.packed_experts import keep_packed
from pipeline.models.render_chat import load_renderer

PROBES = 8  # held-out conversations
# A merged weight keeps 8 bits, and the roundings of all layers add up. In a large model with random weights, one bit
# can send a token to another expert, and they add up to more than this. docs/pipeline.md has measurements.
LARGEST_DISTANCE = 2**-5
# Update and sum are rounded to the 8 bits of bfloat16; this check rounds the update once more.
LARGEST_ROUNDING = 2**-7
# Every program that saves a model writes these again; they do not change its results.
NOT_THE_MODEL = ("transformers_version", "dtype", "torch_dtype", "_name_or_path", "use_cache")

Ids = list[torch.Tensor]
Logits = list[torch.Tensor]


def load_plain_model(folder: Path, dtype: str, gpus: int = 0) -> Any:
    """Return a model as transformers loads it, on the GPUs given; no weight may be missing or left over."""
    placed = {"device_map": "auto"} if gpus else {}
    keep_packed()
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=getattr(torch, dtype), output_loading_info=True, **placed
    )
    if wrong := [name for name, keys in info.items() if keys]:
        raise RuntimeError(f"{folder}: {', '.join(wrong)} when loading: {info}")
    return model.eval()


def read_logits(model: Any, probes: Ids) -> Logits:
    """Return the logits of each probe, of shape (length, vocabulary), in float32."""
    with torch.no_grad():
        return [model(ids[None].to(model.device)).logits[0].float().cpu() for ids in probes]


def load_probes(model: Path, val: Path, prompt: Prompt) -> Ids:
    """Return the tokens of the first held-out conversations."""
    render = load_renderer(model, prompt)
    pairs = (pair for pair, _ in zip(iterate_json_lines(val), range(PROBES), strict=False))
    return [torch.tensor(render(pair)[0]) for pair in pairs]


def distance(one: Logits, other: Logits) -> float:
    """Return the norm of the difference of logits, as a share of the norm of `other`."""
    difference = sum(float((a - b).square().sum()) for a, b in zip(one, other, strict=True))
    return float((difference / sum(float(b.square().sum()) for b in other)) ** 0.5)


def adapted_layers(policy: Any) -> dict[str, LoraLayer]:
    """Return the layers that hold an adapter, each by the name of the weight it changes in a model's files."""
    found = {}
    for path, module in policy.named_modules():
        if isinstance(module, LoraLayer):
            place = path.removeprefix("base_model.model.").replace(".base_layer", "")
            found[f"{place}.{getattr(module, 'parameter_name', 'weight')}"] = module
    return found


def stored_weights(folder: Path) -> dict[str, Path]:
    """Return which file holds each weight."""
    names = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as weights:
            names.update(dict.fromkeys(weights.keys(), path))
    return names


def read_changes(before: Path, after: Path) -> Iterator[tuple[str, float]]:
    """Yield the change of each weight, as a share of its norm; one weight of both folders is in memory at a time."""
    old, new = stored_weights(before), stored_weights(after)
    if missing := sorted(set(old) ^ set(new)):
        raise RuntimeError(f"{after}: not the weights of {before}: {missing[0]} is in one of them only")
    for name in sorted(old):
        with safe_open(old[name], framework="pt") as a, safe_open(new[name], framework="pt") as b:
            was, came = a.get_tensor(name), b.get_tensor(name)
        # Most weights are equal, and comparing takes a tenth of the time of the norms.
        same = was.dtype == came.dtype and torch.equal(was, came)
        yield name, 0.0 if same else float((came.float() - was.float()).norm() / was.float().norm().clamp_min(1e-30))


def judge_sums(layers: dict[str, LoraLayer], merged: Path) -> Gate:
    """Return the gate that each merged weight is the sum of the weight and its update, up to rounding."""
    stored, offs = stored_weights(merged), []
    for name, layer in layers.items():
        weight = getattr(layer.get_base_layer(), name.rpartition(".")[2]).detach().float()
        update = layer.get_delta_weight("default").detach().float()
        with safe_open(stored[name], framework="pt") as weights:
            off = weights.get_tensor(name).float().to(weight.device) - (weight + update)
        size = weight.abs() + update.abs()
        offs.append((float((off.abs() / size.clamp_min(size.mean() * 1e-3)).max()), name))
    worst, where = max(offs, default=(0.0, "no weight"))
    found = f"{worst:.2e} of weight and update off, at most, in {where}"
    return gate("merged_weights", bool(offs) and worst <= LARGEST_ROUNDING, found, f"at most {LARGEST_ROUNDING:g}")


def judge_weights(before: Path, after: Path, targets: set[str]) -> list[Gate]:
    """Return two gates: every target changed, and no other weight did."""
    changes = dict(read_changes(before, after))
    still = sorted(name for name in targets if not changes.get(name))
    moved = sorted(name for name, change in changes.items() if change and name not in targets)
    least = min((changes[name] for name in targets if name in changes), default=0.0)
    seen = f"{still[0]} did not move" if still else f"least {least:.2e} of its norm, {len(targets)} targets"
    others = f"{moved[0]} moved" if moved else f"{len(changes) - len(targets)} weights unchanged"
    return [
        gate("target_weights", bool(targets) and not still, seen, "every target above 0"),
        gate("other_weights", not moved, others, "unchanged"),
    ]


def judge_description(before: Path, after: Path) -> Gate:
    """Return the gate that the model's config and tokenizer did not change.

    Configs are compared as transformers reads them: the published one leaves out what is as usual, and has older names.
    """

    def described(folder: Path) -> dict[str, Any]:
        config = AutoConfig.from_pretrained(folder).to_dict()
        return {name: value for name, value in config.items() if name not in NOT_THE_MODEL}

    old, new = described(before), described(after)
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    tokenizers = [AutoTokenizer.from_pretrained(folder) for folder in (before, after)]
    same = tokenizers[0].backend_tokenizer.to_str() == tokenizers[1].backend_tokenizer.to_str()
    seen = [*changed, *([] if same else ["the tokenizer"])]
    return gate("config_and_tokenizer", not seen, f"changed: {', '.join(seen)}" if seen else "unchanged", "unchanged")


def judge_merge(model: Path, adapter: Path, merged: Path, probes: Ids, dtype: str, gpus: int = 0) -> list[Gate]:
    """Return the gates of a merge. One model is in memory at a time."""
    policy = PeftModel.from_pretrained(load_plain_model(model, dtype, gpus), adapter).eval()
    layers = adapted_layers(policy)
    targets = set(layers)
    tuned = read_logits(policy, probes)
    with policy.disable_adapter():
        base = read_logits(policy, probes)
    sums = judge_sums(layers, merged)
    del policy, layers
    if gpus:
        torch.cuda.empty_cache()
    joined = read_logits(load_plain_model(merged, dtype, gpus), probes)

    off, moved, left = distance(joined, tuned), distance(tuned, base), distance(joined, base)
    most = max(LARGEST_DISTANCE, moved / 2)
    near = f"at most {most:.3g} of their norm, and nearer than the base's"
    return [
        gate("merged_logits", off <= most and off < moved, f"{off:.2e} from the adapter's", near),
        gate("merged_is_not_base", left > 0, f"{left:.2e} from the base's", "above 0"),
        sums,
        *judge_weights(model, merged, targets),
        judge_description(model, merged),
    ]
