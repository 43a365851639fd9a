"""Measure how far the gradients of a DPO step over packed experts are from float32's, at gpt-oss-20b's true width.

    python -m benchmarks.measure_packed_gradients --layers 4

Three models have the same random weights: packed, dequantised in bfloat16, and that in float32. A step of one pair goes
through each, with a LoRA of the attention, and with one of the experts, too; bfloat16 runs under autocast, as in a
training. It takes a GPU with 40 GB or more and torch, transformers and peft of envs/training.lock; on the CPU, a small
--width. A distance is the norm of the difference of all gradients as a share of float32's norm. Results go into
benchmarks/results/packed_gradients.json, which docs/performance.md quotes.
"""

import argparse
import copy
import json
import statistics
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import logsigmoid
from transformers import GptOssConfig, GptOssForCausalLM

from benchmarks.speed.random_weights import draw_weights
from pipeline.models.expected_tensors import BLOCKS, SCALES
from pipeline.models.mxfp4 import dequantise
from pipeline.models.packed_experts import keep_packed
from pipeline.models.published_layout import QUANTISATION
from pipeline.settings.stage import stage_parser

OUT = Path(__file__).parent / "results" / "packed_gradients.json"
EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
TOKENS = 256  # of each of the two sequences, half of them the answer's
BETA = 0.1

Gradients = dict[str, torch.Tensor]
Step = tuple[float, Gradients]


def build(args: argparse.Namespace, device: str, packed: bool) -> Any:
    """Return a model without weights of its own, in bfloat16."""
    shape = {"hidden_size": args.width, "intermediate_size": args.width, "num_hidden_layers": args.layers}
    config = GptOssConfig(**shape, num_local_experts=32, num_experts_per_tok=4, vocab_size=args.vocabulary)
    if packed:
        config.quantization_config = QUANTISATION
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = GptOssForCausalLM._from_config(config, attn_implementation="eager")
    torch.set_default_dtype(torch.float32)
    return model


def dequantise_all(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a model in bfloat16 from those of a packed one, by plain arithmetic on the CPU."""
    found = {name: weight for name, weight in weights.items() if not name.endswith((BLOCKS, SCALES))}
    for name in weights:
        if name.endswith(BLOCKS):
            bare = name.removesuffix(BLOCKS)
            found[bare] = dequantise(weights[name].cpu(), weights[f"{bare}{SCALES}"].cpu())
    return found


def tune(model: Any, experts: bool) -> Any:
    """Return a model with an adapter that adds something, as after some steps; the same for each model."""
    torch.manual_seed(1)
    targets = {"target_parameters": EXPERTS} if experts else {}
    tuned = get_peft_model(model, LoraConfig(r=8, lora_alpha=32, target_modules="all-linear", **targets))
    random = torch.Generator().manual_seed(2)
    for name, weight in tuned.named_parameters():
        if weight.requires_grad:
            scale = 0.001 if "lora_B" in name else 0.02
            weight.data = (torch.randn(weight.shape, generator=random) * scale).to(weight.device)
    return tuned


def sum_logps(model: Any, ids: torch.Tensor, precise: bool) -> torch.Tensor:
    """Return the summed log-probability of each sequence's answer."""
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=not precise):
        logits = model(input_ids=ids, use_cache=False).logits[:, TOKENS // 2 - 1 : -1].float()
    chosen = logits.log_softmax(-1).gather(-1, ids[:, TOKENS // 2 :, None])
    return chosen[..., 0].sum(-1)


def take_step(model: Any, experts: bool, precise: bool, device: str, seed: int) -> tuple[float, Gradients]:
    """Return the loss of a DPO step, and its gradients by name."""
    tuned = tune(model, experts)
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, model.config.vocab_size, (2, TOKENS), generator=random).to(device)
    ids[1, : TOKENS // 2] = ids[0, : TOKENS // 2]
    with torch.no_grad(), tuned.disable_adapter():
        reference = sum_logps(tuned, ids, precise)
    apart = sum_logps(tuned, ids, precise) - reference
    loss = -logsigmoid(BETA * (apart[0] - apart[1]))
    loss.backward()
    gradients = {name: weight.grad.float() for name, weight in tuned.named_parameters() if weight.grad is not None}
    tuned.unload()
    return loss.item(), gradients


def distance(one: Gradients, other: Gradients) -> float:
    """Return the norm of the difference of two models' gradients as a share of the second's norm."""
    assert one.keys() == other.keys()
    apart = sum(float((one[name] - other[name]).norm() ** 2) for name in other)
    return float((apart / sum(float(part.norm() ** 2) for part in other.values())) ** 0.5)


def compare(steps: list[tuple[Step, Step, Step]]) -> dict[str, Any]:
    """Return whether packed steps are those in bfloat16, and how far both are from float32, in the mean."""
    equal = [a[0] == b[0] and all(torch.equal(a[1][name], b[1][name]) for name in b[1]) for a, b, _ in steps]
    apart = [(distance(a[1], c[1]), distance(b[1], c[1])) for a, b, c in steps]
    packed, plain = (statistics.fmean(one) for one in zip(*apart, strict=True))
    return {
        "pairs": len(steps),
        "equal": sum(equal),
        "packed": round(packed, 4),
        "bfloat16": round(plain, 4),
        "each": apart,
    }


def measure(args: argparse.Namespace, device: str) -> list[dict[str, Any]]:
    """Return a row for each adapter."""
    keep_packed()
    packed, plain = build(args, device, packed=True), build(args, device, packed=False)
    draw_weights(packed, device)
    plain.load_state_dict(dequantise_all(packed.state_dict()))
    precise = copy.deepcopy(plain).float()
    rows = []
    for experts in (False, True):
        steps = []
        for seed in range(args.pairs):
            ours, theirs = (take_step(model, experts, False, device, seed) for model in (packed, plain))
            steps.append((ours, theirs, take_step(precise, experts, True, device, seed)))
        rows.append(compare(steps) | {"adapter": "attention and experts" if experts else "attention"})
    return rows


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--width", type=int, default=2880)
    parser.add_argument("--vocabulary", type=int, default=201_088)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(argv)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    found = {"machine": machine, "layers": args.layers, "width": args.width, "rows": measure(args, device)}
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
