"""A plugin of ms-swift: compute in float32 on weights kept in bfloat16, one layer's at a time, as a reference.

With gradient checkpointing, each layer runs again right before its backward pass: no two need their weights in float32
at once, and 20.9 billion weights need not be held in four bytes each.
"""

from typing import Any

import torch
from swift.trainers import SwiftMixin

_train = SwiftMixin.train


def widen(module: torch.nn.Module) -> None:
    """Give a module float32 copies of its frozen weights, and keep the weights."""
    for weight in module.parameters():
        if weight.dtype == torch.bfloat16:
            weight.narrow_data = weight.data
            weight.data = weight.data.float()


def narrow(module: torch.nn.Module) -> None:
    """Put the weights back."""
    for weight in module.parameters():
        if hasattr(weight, "narrow_data"):
            weight.data = weight.narrow_data
            del weight.narrow_data


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train in float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    base = self.model.get_base_model()
    wide: list[torch.nn.Module] = []

    def before(layer: torch.nn.Module, _: Any) -> None:
        while wide and wide[-1] is not layer:
            narrow(wide.pop())
        if not wide:
            widen(layer)
            wide.append(layer)

    for part in (base.model.embed_tokens, base.model.norm, base.lm_head):
        widen(part)
    for layer in base.model.layers:
        layer.register_forward_pre_hook(before)
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
