"""A plugin of ms-swift: weights drawn on the GPU in place of those of a folder, in seconds and without a disk."""

from typing import Any

import torch
from transformers import GptOssForCausalLM

SEED = 17


def draw_weights(model: Any) -> None:
    """Fill a model's parameters with what transformers would start a training from, the same in every process."""
    generator = torch.Generator(device="cuda").manual_seed(SEED)
    for name, weight in model.named_parameters():
        if "norm" in name:
            weight.data.fill_(1)
        elif weight.dim() == 1 or "bias" in name:
            weight.data.zero_()
        else:
            weight.data.normal_(0, 0.02, generator=generator)


def from_pretrained(cls: Any, folder: str, *_: Any, config: Any, **settings: Any) -> Any:
    """Return a model of a folder's shape on the GPU, in bfloat16."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = cls._from_config(config, **{k: v for k, v in settings.items() if k == "attn_implementation"})
    torch.set_default_dtype(dtype)
    draw_weights(model)
    model.config.name_or_path = model.name_or_path = folder
    return model.eval()


GptOssForCausalLM.from_pretrained = classmethod(from_pretrained)  # type: ignore[arg-type]
