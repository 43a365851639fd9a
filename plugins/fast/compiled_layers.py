"""Compile each layer of the model: norms, positions, gates and the sorting of tokens by expert become few kernels.

The layers are alike, so one is compiled for all with full attention, and one for those with a sliding window. Each is
compiled again for every length of a batch; packed_pairs makes few lengths. Torch keeps what it compiled for the next
training.
"""

from typing import Any

import torch._dynamo
import torch._inductor.config
from swift.trainers import SwiftMixin

# Above it, a function runs as it is, without a word. Every length counts, and with gradients or without.
VARIANTS = 64

_train = SwiftMixin.train


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train with compiled layers."""
    torch._dynamo.config.recompile_limit = VARIANTS
    # Numbers are rounded to bfloat16 where the model says so, not where one kernel ends and the next begins.
    torch._inductor.config.emulate_precision_casts = True
    model = self.accelerator.unwrap_model(self.model).get_base_model()
    model.enable_input_require_grads()  # else the first layer is compiled for itself
    for layer in model.model.layers:
        layer.compile(dynamic=False)
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
