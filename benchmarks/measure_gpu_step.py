"""Measure memory and seconds of a DPO step of gpt-oss-20b's true shape on one GPU, with random weights.

    python -m benchmarks.measure_gpu_step

It takes a GPU with 80 GB or more, and torch, transformers and peft of envs/training.lock; no model and no data.
The step is ms-swift's, in one process and without DeepSpeed: policy with logits from the first trained token on, in
float32; reference with the adapter off; sigmoid loss; backward pass; AdamW. A line a case: pairs and tokens, seconds of
a step after the first, GiB that torch allocated and reserved at the most, and that the GPU then lacks.
docs/planning.md has the figures, pipeline/planning/memory.py and planning/hours.py are fitted to them.
"""

import gc
import time
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, get_peft_model
from transformers import GptOssConfig, GptOssForCausalLM

from pipeline.planning.gpus import GIB
from pipeline.settings.stage import stage_parser

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]


class Case(NamedTuple):
    """A step: pairs, tokens of a sequence, how many of them have logits, checkpointing, and the reference or none."""

    pairs: int
    length: int
    trained: int
    checkpointing: bool = True
    reference: bool = True


CASES = (
    Case(2, 390, 390),
    Case(2, 390, 200),
    Case(1, 390, 390),
    Case(8, 400, 400),
    Case(2, 1024, 512),
    Case(2, 2048, 512),
    Case(1, 3000, 1000),
    Case(1, 390, 390, checkpointing=False),
    Case(2, 390, 390, checkpointing=False),
    Case(4, 400, 400, checkpointing=False),
    Case(2, 390, 390, reference=False),
)


def build_model() -> Any:
    """Return a model of the published shape with random bfloat16 weights, norms in float32, on the GPU."""
    sizes = {"hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 24, "num_local_experts": 32}
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = GptOssForCausalLM(GptOssConfig(vocab_size=201_088, num_experts_per_tok=4, **sizes))
    for name, weight in model.named_parameters():
        weight.requires_grad_(False)
        if "norm" in name:
            weight.data = weight.data.float()
    torch.set_default_dtype(torch.float32)
    model.set_attn_implementation("eager")
    model.set_experts_implementation("grouped_mm")
    return model


def log_probabilities(model: Any, ids: Any, trained: int) -> tuple[Any, Any]:
    """Return the summed log-probability of each sequence's last tokens, and their mean logits, as ms-swift does."""
    with torch.autocast("cuda", torch.bfloat16):
        output = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, logits_to_keep=trained)
    logits = output.logits.float()
    chosen = torch.gather(logits, -1, ids[:, -trained:, None])[..., 0]
    return (chosen - torch.stack([torch.logsumexp(row, -1) for row in logits])).sum(-1), logits.mean(-1)


def take_step(model: Any, optimiser: Any, case: Case) -> None:
    """Learn from random pairs."""
    ids = torch.randint(0, 200_000, (2 * case.pairs, case.length), device="cuda")
    policy, mean_logits = log_probabilities(model, ids, case.trained)  # both live until the step is done
    reference: Any = 0
    if case.reference:
        with torch.no_grad(), model.disable_adapter():
            reference, _ = log_probabilities(model, ids, case.trained)
    ratios = policy - reference
    margins = ratios[: case.pairs] - ratios[case.pairs :]
    (-torch.nn.functional.logsigmoid(0.1 * margins).mean()).backward()
    del mean_logits
    optimiser.step()
    optimiser.zero_grad()


def measure(model: Any, optimiser: Any, case: Case) -> str:
    """Return the memory and seconds of a case, in words."""
    if case.checkpointing:
        model.get_base_model().gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    else:
        model.get_base_model().gradient_checkpointing_disable()
    torch.cuda.reset_peak_memory_stats()
    try:
        take_step(model, optimiser, case)
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(3):
            take_step(model, optimiser, case)
        torch.cuda.synchronize()
    except torch.OutOfMemoryError:
        return "out of memory"
    seconds = (time.perf_counter() - start) / 3
    free, total = torch.cuda.mem_get_info()
    most = (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved(), total - free)
    return f"{seconds:.3f} s  " + "  ".join(f"{count / GIB:.2f}" for count in most)


def main(argv: list[str] | None = None) -> None:
    stage_parser(__doc__, settings=False).parse_args(argv)
    model = build_model()
    print(torch.cuda.get_device_name(), f"{torch.cuda.get_device_properties(0).total_memory / GIB:.2f} GiB")
    for parameters in ([], EXPERTS):
        adapted = get_peft_model(
            model, LoraConfig(r=8, lora_alpha=32, target_modules=ATTENTION, target_parameters=parameters or None)
        )
        adapted.enable_input_require_grads()
        adapted.train()
        trained = [weight for weight in adapted.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=1e-5, fused=True)
        print(f"LoRA of {sum(weight.numel() for weight in trained):,} weights", flush=True)
        for case in CASES:
            print(f"  {case}: {measure(adapted, optimiser, case)}", flush=True)
            optimiser.zero_grad()
            gc.collect()
            torch.cuda.empty_cache()
        model = adapted.unload()


if __name__ == "__main__":
    main()
