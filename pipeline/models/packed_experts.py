"""gpt-oss's experts as they are published (MXFP4): kept packed and frozen, and dequantised for each product.

Once `keep_packed` was called, transformers loads a packed folder so: with buffers under the names of the checkpoint's
tensors, in place of parameters of four times their size. The products are those of transformers' own experts, "eager"
or "grouped_mm", with the same numbers; a backward pass dequantises once more, so that nothing of it is kept. What an
adapter of the experts adds is a product of its own (packed_experts_lora.py).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import modeling_utils
from transformers.integrations import moe
from transformers.models.gpt_oss import modeling_gpt_oss
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssExperts

from pipeline.models.expected_tensors import BLOCK, BLOCKS, SCALES, is_packed
from pipeline.models.mxfp4 import dequantise
from pipeline.models.shape import BARE_PARAMETERS

Update = tuple[Tensor, Tensor]  # of an adapter: (experts, inputs, rank) and (experts, rank, outputs)
# The experts that are dequantised at one time; None: all of a layer.
at_once: int | None = None

# transformers' own.
_batched = moe.ALL_EXPERTS_FUNCTIONS["batched_mm"]
_grouped_mm, _find_quantizer = moe._grouped_mm, modeling_utils.get_hf_quantizer
_build_layer = modeling_gpt_oss.GptOssMLP.__init__


class PackedWeight:
    """The packed weights of a layer's experts, or of one, in the place where transformers multiplies by them.

    `updates` are what adapters add to them. `shape`, `ndim` and `device` are those of weights that are not packed.
    """

    def __init__(self, blocks: Tensor, scales: Tensor, dtype: torch.dtype, updates: Sequence[Update] = ()) -> None:
        self.blocks, self.scales, self.dtype, self.updates = blocks, scales, dtype, updates
        experts, outputs, groups, _ = blocks.shape
        self.shape, self.ndim, self.device = (experts, groups * BLOCK, outputs), 3, blocks.device

    def __getitem__(self, expert: Tensor) -> "PackedWeight | Tensor":
        """Return one expert, packed; of a row of numbers, their weights (numbers, inputs, outputs)."""
        if expert.ndim:
            return self.unpack(expert)
        updates = [(down[expert][None], up[expert][None]) for down, up in self.updates]
        return PackedWeight(self.blocks[expert][None], self.scales[expert][None], self.dtype, updates)

    def unpack(self, experts: Tensor) -> Tensor:
        """Return the weights (numbers, inputs, outputs) of some experts, with the updates added."""
        weights = dequantise_for(self.blocks[experts], self.scales[experts], self.dtype)
        for down, up in self.updates:
            weights = weights + down[experts] @ up[experts]
        return weights

    def __rmatmul__(self, states: Tensor) -> Tensor:
        return self.multiply(states, None)

    def multiply(self, states: Tensor, ends: Tensor | None) -> Tensor:
        """Return the product of states (tokens, inputs), sorted by expert, with their experts' weights.

        `ends` says where the tokens of each expert end; None: there is one expert.
        """
        states = states.to(self.dtype)
        product: Tensor = PackedProduct.apply(states, ends, self.blocks, self.scales)
        for down, up in self.updates:
            product += multiply(multiply(states, down, ends), up, ends)
        return product


class PackedProduct(torch.autograd.Function):  # type: ignore[misc]
    """The product of states with packed weights, in the type of the states."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, ends: Tensor | None, blocks: Tensor, scales: Tensor) -> Tensor:
        """Return the product."""
        ctx.save_for_backward(ends, blocks, scales)
        return multiply_packed(states, ends, blocks, scales, is_backward=False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of the states; packed weights have none."""
        ends, blocks, scales = ctx.saved_tensors
        return multiply_packed(gradient.contiguous(), ends, blocks, scales, is_backward=True), None, None, None


def multiply_packed(states: Tensor, ends: Tensor | None, blocks: Tensor, scales: Tensor, is_backward: bool) -> Tensor:
    """Return the product of states with packed weights, or with those transposed, some experts at a time."""

    def product(states: Tensor, ends: Tensor | None, own: slice) -> Tensor:
        weights = dequantise_for(blocks[own], scales[own], states.dtype)
        return multiply(states, weights.transpose(-2, -1) if is_backward else weights, ends)

    if ends is None or at_once is None:
        return product(states, ends, slice(None))
    starts = [0, *ends.tolist()]
    parts = []
    for first in range(0, len(blocks), at_once):
        own = slice(first, first + at_once)
        begin, end = starts[first], starts[first + len(blocks[own])]
        if begin < end:
            parts.append(product(states[begin:end], ends[own] - begin, own))
    return torch.cat(parts)


def multiply(states: Tensor, weights: Tensor, ends: Tensor | None) -> Tensor:
    """Return the product of states (tokens, inputs) with weights (experts, inputs, outputs), as transformers does."""
    product: Tensor = states @ weights[0] if ends is None else _grouped_mm(states, weights, ends)
    return product


def dequantise_for(blocks: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the weights (experts, inputs, outputs) of packed ones, in the type of the states."""
    if not blocks.is_cuda:
        return dequantise(blocks, scales).to(dtype)
    from pipeline.models.dequantise_on_gpu import dequantise_on_gpu  # Triton is where a GPU is

    return dequantise_on_gpu(blocks, scales).transpose(-2, -1).to(dtype)


class PackedExperts(GptOssExperts):  # type: ignore[misc]
    """The experts of a layer, packed: buffers of bytes named as in the published checkpoint, and biases."""

    def __init__(self, config: Any) -> None:
        with torch.device("meta"):  # for the shapes
            super().__init__(config)
        self.updates: dict[str, Sequence[Update]] = {}  # by the weight's name, while an adapter adds to it
        for name in BARE_PARAMETERS:
            experts, inputs, outputs = self._parameters.pop(name).shape
            shape = (experts, outputs, inputs // BLOCK)
            self.register_buffer(f"{name}{BLOCKS}", torch.empty(*shape, BLOCK // 2, dtype=torch.uint8))
            self.register_buffer(f"{name}{SCALES}", torch.empty(shape, dtype=torch.uint8))
            bias = torch.empty(experts, outputs, dtype=self._parameters[f"{name}_bias"].dtype)
            self.register_parameter(f"{name}_bias", torch.nn.Parameter(bias))
        self._is_hf_initialized = True  # transformers draws no numbers for weights that it has no parameters of

    @property
    def gate_up_proj(self) -> PackedWeight:
        """The weights before the gate."""
        return self.weight_of("gate_up_proj")

    @property
    def down_proj(self) -> PackedWeight:
        """The weights behind the gate."""
        return self.weight_of("down_proj")

    def weight_of(self, name: str) -> PackedWeight:
        """Return weights by their name, with what adapters add to them."""
        blocks, scales, bias = (getattr(self, f"{name}{end}") for end in (BLOCKS, SCALES, "_bias"))
        return PackedWeight(blocks, scales, bias.dtype, self.updates.get(name, ()))


def grouped_mm(states: Tensor, weights: Any, offs: Tensor) -> Tensor:
    """Return transformers' grouped product, also with packed weights."""
    if isinstance(weights, PackedWeight):
        return weights.multiply(states, offs)
    product: Tensor = _grouped_mm(states, weights, offs)
    return product


def batched_mm(experts: Any, states: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
    """Return the experts' output by one product for each token and expert, to which transformers turns in generation.

    For more of those than there are experts, packed weights are multiplied grouped by expert: a copy for each token
    would be larger than all of them.
    """
    grouped = isinstance(experts, PackedExperts) and chosen.numel() > experts.num_experts
    compute = moe.grouped_mm_experts_forward if grouped else _batched
    output: Tensor = compute(experts, states, chosen, weights)
    return output


def build_layer(mlp: Any, config: Any) -> None:
    """Build the router and the experts of a layer: packed ones, where config.json says that the weights are."""
    if not is_packed(config.to_dict()):
        _build_layer(mlp, config)
        return
    torch.nn.Module.__init__(mlp)
    mlp.router = modeling_gpt_oss.GptOssTopKRouter(config)
    mlp.experts = PackedExperts(config)


def find_quantizer(config: Any, quantization: Any, device_map: Any, *rest: Any, **named: Any) -> Any:
    """Return the quantiser of a model: none for a packed one, which is a model like any other, with other experts."""
    if is_packed(config.to_dict()):
        return None, config, device_map
    return _find_quantizer(config, quantization, device_map, *rest, **named)


def finish_with(finish: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that ends the loading of a model as `finish` does, and leaves its packed experts, which never
    change, out of its checkpoints from then on.
    """

    def finish_loading(model: Any, load_config: Any, info: Any) -> Any:
        info = finish(model, load_config, info)
        for module in model.modules():
            if isinstance(module, PackedExperts):
                module._non_persistent_buffers_set.update(module._buffers)
        return info

    return finish_loading


def keep_packed() -> None:
    """Have transformers keep the experts of packed folders packed; once is enough, and more does no harm."""
    from pipeline.models.packed_experts_lora import add_beside_packed  # which imports this module

    if modeling_utils.get_hf_quantizer is find_quantizer:
        return
    moe._grouped_mm = grouped_mm
    moe.ALL_EXPERTS_FUNCTIONS["batched_mm"] = batched_mm
    modeling_gpt_oss.GptOssMLP.__init__ = build_layer
    modeling_utils.get_hf_quantizer = find_quantizer
    # plugins/whole_model.py may have put its own there, and is called first.
    loading = modeling_utils.PreTrainedModel
    loading._finalize_model_loading = staticmethod(finish_with(loading._finalize_model_loading))
    add_beside_packed()
