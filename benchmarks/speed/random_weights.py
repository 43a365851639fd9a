"""A plugin of ms-swift: draw random weights on the GPU, in seconds, in place of loading a folder.

CARD_GIB, if it is set, is how much memory torch may take of the GPU, where this stands for a smaller one.
"""

import os
from contextlib import nullcontext
from typing import Any

import torch
from transformers import GptOssForCausalLM

from pipeline.models.packed_experts import PackedExperts, keep_packed

SEED = 17
SCALE = 120  # of each block of experts' weights, as in scripts/build_random_model.py


def draw_weights(model: Any, device: str = "cuda") -> None:
    """Fill a model's parameters with what transformers would start a training from, the same in every process."""
    generator = torch.Generator(device=device).manual_seed(SEED)
    for name, weight in model.named_parameters():
        with gathered(weight):
            if "norm" in name:
                weight.data.fill_(1)
            elif "bias" in name or "sinks" in name:
                weight.data.zero_()
            else:
                weight.data.normal_(0, 0.02, generator=generator)
    for module in model.modules():
        if isinstance(module, PackedExperts):
            for name, buffer in module.named_buffers():
                buffer.random_(0, 256, generator=generator) if name.endswith("blocks") else buffer.fill_(SCALE)


def gathered(weight: Any) -> Any:
    """Return a context in which a weight is whole; under ZeRO-3, a process otherwise holds only a share of it."""
    if not hasattr(weight, "ds_id"):
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(weight, modifier_rank=0)


def from_pretrained(cls: Any, folder: str, *_: Any, config: Any, **settings: Any) -> Any:
    """Return a model of a folder's shape on the GPU, in bfloat16."""
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if card := os.environ.get("CARD_GIB"):
        whole = torch.cuda.get_device_properties().total_memory / 2**30
        torch.cuda.set_per_process_memory_fraction(float(card) / whole)
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = cls._from_config(config, **{k: v for k, v in settings.items() if k == "attn_implementation"})
    torch.set_default_dtype(dtype)
    draw_weights(model)
    model.config.name_or_path = model.name_or_path = folder
    return model.eval()


keep_packed()
GptOssForCausalLM.from_pretrained = classmethod(from_pretrained)  # type: ignore[arg-type]
