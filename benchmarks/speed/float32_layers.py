"""A plugin of ms-swift: compute in float32 on weights kept in bfloat16, one layer's at a time, as a reference.

With gradient checkpointing, each layer runs again right before its backward pass: no two need their weights in float32
at once, and 20.9 billion weights need not be held in four bytes each.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from swift.trainers import SwiftMixin
from transformers import TrainerCallback

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


class WideLayers(TrainerCallback):  # type: ignore[misc]
    """Gives each layer float32 weights before it runs, compiled or not, until another one does."""

    def __init__(self, layers: list[torch.nn.Module]) -> None:
        self.layers = layers
        self.wide: torch.nn.Module | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Step between each layer and its caller, gradient checkpointing too, but not into what is compiled."""
        for layer in self.layers:
            layer._compiled_call_impl = partial(self.call, layer, layer._compiled_call_impl or layer._call_impl)

    def call(self, layer: torch.nn.Module, run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a layer in float32."""
        if self.wide is not layer:
            if self.wide:
                narrow(self.wide)
            widen(layer)
            self.wide = layer
        return run(*args, **kwargs)


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train in float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    base = self.model.get_base_model()
    for part in (base.model.embed_tokens, base.model.norm, base.lm_head):
        widen(part)
    self.add_callback(WideLayers(list(base.model.layers)))
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
