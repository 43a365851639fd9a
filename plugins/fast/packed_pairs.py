"""Train DPO on pairs in one row without padding, what both answers begin with once (pair_layout.py).

Logits are taken for the tokens of answers only, some at a time. The loss is ms-swift's own: this gives it the same
log-probabilities. On a GPU attn_impl is flex_attention, whose masks cost memory by the block; elsewhere eager.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from pair_layout import Layout, lay_out_pairs, visible
from swift.rlhf_trainers import DPOTrainer
from torch.nn.attention.flex_attention import create_block_mask, create_mask

# Answer tokens whose logits are held at once: 800 MiB in float32 for gpt-oss's vocabulary.
TOKENS_AT_ONCE = 1024


def attention_masks(layout: Layout, config: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Return the mask of each kind of layer, as the attention in force reads it."""
    length, device = layout.ids.shape[1], layout.ids.device
    masks = {}
    for kind, window in (("full_attention", None), ("sliding_attention", config.sliding_window)):
        sees = visible(layout, window)
        if config._attn_implementation == "flex_attention":
            masks[kind] = compiled_block_mask(sees, None, None, length, length, device)
        else:
            seen = create_mask(sees, None, None, length, length, device)
            masks[kind] = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill(~seen, torch.finfo(dtype).min)
    return masks


compiled_block_mask = torch.compile(create_block_mask)


@contextmanager
def without_head(model: Any) -> Iterator[torch.Tensor]:
    """Let a model return its last states in place of logits; gives the weight (vocabulary, width) that makes them."""
    head = model.get_output_embeddings()
    head.forward = lambda states: states
    try:
        yield head.weight
    finally:
        del head.forward


class TokenLogps(torch.autograd.Function):  # type: ignore[misc]
    """The log-probability of each target, and in the same pass its gradient by the state that predicts it.

    So logits are computed once, and none are kept. The weight is frozen and has no gradient.
    """

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the log-probabilities."""
        logps, slopes = [], []
        for some, wanted in split(states, targets):
            logits = some @ weight.T
            own = logps_of(logits, wanted)
            change = logits.softmax(-1, dtype=logits.dtype)
            change.scatter_(-1, wanted[:, None], own.expm1().to(logits.dtype)[:, None])
            slopes.append(float32_product(change, weight))  # of the negative log-probability
            logps.append(own)
        ctx.save_for_backward(torch.cat(slopes))
        ctx.dtype = states.dtype
        return torch.cat(logps)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return the gradient of the states."""
        (slopes,) = ctx.saved_tensors
        return (-gradient[:, None] * slopes).to(ctx.dtype), None, None


def float32_product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the product of two matrices in float32, so that it is not rounded before the loss's gradient scales it."""
    with torch.autocast(left.device.type, enabled=False):
        return torch.mm(left, right, out_dtype=torch.float32) if left.is_cuda else left.float() @ right.float()


def token_logps(states: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the float32 log-probability of each target, of shape (tokens,), from states of shape (tokens, width)."""
    if not states.requires_grad:
        return torch.cat([logps_of(some @ weight.T, wanted) for some, wanted in split(states, targets)])
    logps: torch.Tensor = TokenLogps.apply(states, weight, targets)
    return logps


def split(states: torch.Tensor, targets: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield as many states and targets as have their logits at once."""
    return zip(states.split(TOKENS_AT_ONCE), targets.split(TOKENS_AT_ONCE), strict=True)


def logps_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the float32 log-probability of each target."""
    return logits.log_softmax(-1, dtype=torch.float32).gather(-1, targets[:, None])[:, 0]


def forward_packed(trainer: Any, model: Any, batch: dict[str, Any]) -> tuple[Layout, torch.Tensor, torch.Tensor]:
    """Return how a batch was laid out, and of its answers' tokens the log-probabilities and the mean logits."""
    base = trainer.accelerator.unwrap_model(trainer.model).get_base_model()
    ids, labels, mask = (batch[name].cpu() for name in ("input_ids", "labels", "attention_mask"))
    layout = lay_out_pairs(ids, labels, mask, trainer.padding_value).to(batch["input_ids"].device)
    with without_head(base) as weight:
        masks = attention_masks(layout, base.config, weight.dtype)
        states = model(
            input_ids=layout.ids,
            position_ids=layout.positions,
            attention_mask=masks,
            logits_to_keep=layout.sources,
            use_cache=False,
        ).logits[0]
    states = states.to(weight.dtype)
    with torch.no_grad():
        mean_logits = states.float() @ weight.mean(0, dtype=torch.float32)
    return layout, token_logps(states, weight, layout.targets), mean_logits


def concatenated_forward(
    self: Any, model: Any, batch: dict[str, Any], is_ref_model: bool = False
) -> dict[str, torch.Tensor]:
    """Return a batch's summed log-probabilities, and the figures that ms-swift's trainer logs."""
    layout, logps, mean_logits = forward_packed(self, model, batch)
    sequences = batch["input_ids"].shape[0]
    pairs, rows = sequences // 2, layout.rows
    counts = torch.bincount(rows, minlength=sequences)
    alpha = self.args.ld_alpha
    weighed = logps if alpha is None or is_ref_model else weigh_lengths(logps, rows, counts, alpha)
    # Not by index_add, which adds up on a GPU in the order in which threads arrive.
    sums = torch.stack([part.sum() for part in weighed.split(counts.tolist())])
    chosen = rows < pairs
    output = {
        "chosen_logps": sums[:pairs],
        "rejected_logps": sums[pairs:],
        "chosen_completion_token_counts": counts[:pairs],
        "rejected_completion_token_counts": counts[pairs:],
        "mean_chosen_logits": mean_logits[chosen].mean(),
        "mean_rejected_logits": mean_logits[~chosen].mean(),
    }
    return output if is_ref_model else output | {"nll_loss": -logps[chosen].mean()}


def weigh_lengths(logps: torch.Tensor, rows: torch.Tensor, counts: torch.Tensor, alpha: float) -> torch.Tensor:
    """Return the log-probabilities, those beyond the length of the shorter answer times `alpha` (LD-DPO)."""
    pairs = len(counts) // 2
    shorter = torch.minimum(counts[:pairs], counts[pairs:]).repeat(2)
    place = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    return torch.where(place < shorter[rows], logps, alpha * logps)


DPOTrainer.concatenated_forward = concatenated_forward
