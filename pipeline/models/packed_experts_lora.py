"""A LoRA of packed experts: two narrow products beside that of the frozen weights, in place of a sum of weights.

peft writes out weight + update for each pass, which has the size of all experts in bfloat16, and needs a weight to add
to. Here x A B is added to x W. Everything else is peft's own: modules, first values, files, and which adapter is on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora.layer import ParamWrapper
from peft.tuners.tuners_utils import BaseTuner
from torch import Tensor

from pipeline.models.packed_experts import PackedExperts, Update
from pipeline.models.shape import BARE_PARAMETERS

RANKS = 8  # 16 bytes in bfloat16: the rows of a grouped product's factors have whole multiples of that
_inject_parameters, _activate_lora = BaseTuner._inject_parameters, ParamWrapper._activate_lora


def inject_parameters(self: Any, peft_config: Any, model: Any, *args: Any, **named: Any) -> None:
    """Wrap the parameters that an adapter names; peft looks for them among those of each module."""
    packed = [module for module in model.modules() if isinstance(module, PackedExperts)]
    for experts in packed:
        for name in BARE_PARAMETERS:
            experts._parameters[name] = torch.nn.Parameter(torch.empty(0, device="meta"), requires_grad=False)
    try:
        _inject_parameters(self, peft_config, model, *args, **named)
    finally:
        for experts in packed:
            for name in BARE_PARAMETERS:
                del experts._parameters[name]


@contextmanager
def activate_lora(self: Any, active_adapters: list[str]) -> Iterator[None]:
    """Have adapters add to their weight inside the context."""
    experts = self.get_base_layer()
    if not isinstance(experts, PackedExperts):
        with _activate_lora(self, active_adapters):
            yield
        return
    experts.updates[self.parameter_name] = [read_update(self, name) for name in active_adapters if name in self.lora_A]
    try:
        yield
    finally:
        del experts.updates[self.parameter_name]


def read_update(wrapper: Any, adapter: str) -> Update:
    """Return the two factors of an adapter's update, in the type of the weights; the second one is scaled.

    peft has them as (rank of all experts, inputs), expert after expert, and (outputs, rank of all experts), where the
    experts of a rank are neighbours.
    """
    down, up = wrapper.lora_A[adapter].weight, wrapper.lora_B[adapter].weight
    down = down.reshape(wrapper.num_experts, -1, down.shape[-1])
    up = up.reshape(up.shape[0], -1, wrapper.num_experts).permute(2, 1, 0)
    dtype = wrapper.get_param().dtype
    return lay_out(down, 1.0, dtype).transpose(1, 2), lay_out(up, wrapper.scaling[adapter], dtype)


@torch.library.custom_op("packed_experts::lay_out", mutates_args=())  # type: ignore[untyped-decorator]
def lay_out(factor: Tensor, scaling: float, dtype: torch.dtype) -> Tensor:
    """Return a factor (experts, rank, width), scaled, in the order in memory that a grouped product needs.

    The rank is filled up with zeros. For torch's compiler it is one operation: of several, it would keep the numbers,
    and not their order in memory.
    """
    laid = fake_layout(factor, scaling, dtype).zero_()
    laid[:, : factor.shape[1]] = factor * scaling
    return laid


@lay_out.register_fake  # type: ignore[untyped-decorator]
def fake_layout(factor: Tensor, scaling: float, dtype: torch.dtype) -> Tensor:
    """Return a tensor like the one that lay_out returns, with any numbers."""
    experts, rank, width = factor.shape
    return torch.empty(experts, rank + -rank % RANKS, width, dtype=dtype, device=factor.device)


def keep_layout(ctx: Any, inputs: tuple[Tensor, float, torch.dtype], output: Tensor) -> None:
    """Keep what the backward pass of lay_out needs."""
    ctx.rank, ctx.scaling, ctx.dtype = inputs[0].shape[1], inputs[1], inputs[0].dtype


def layout_gradient(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
    """Return the gradient of what lay_out was given."""
    return gradient[:, : ctx.rank].to(ctx.dtype) * ctx.scaling, None, None


lay_out.register_autograd(layout_gradient, setup_context=keep_layout)


def add_beside_packed() -> None:
    """Have peft add the products of its adapters beside those of packed weights."""
    BaseTuner._inject_parameters = inject_parameters
    ParamWrapper._activate_lora = activate_lora
