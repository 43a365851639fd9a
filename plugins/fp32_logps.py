"""Take the log-probabilities of an answer, and their sums and means, in float32.

Under ZeRO-3 the logits arrive in bfloat16, and so do the sums over an answer: near -128 they come in
steps of 0.5. Rewards and accuracies then come in steps too, and the first loss reads 0.6914 for ln 2.
DPO and KTO go through ms-swift's own function; CPO, SimPO and ORPO through TRL's, and so does the
negative log-likelihood that they add.
"""

from typing import Any

import torch
from swift.rlhf_trainers import CPOTrainer, ORPOTrainer, rlhf_mixin

_selective_log_softmax = rlhf_mixin.selective_log_softmax


def selective_log_softmax(logits: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Return the float32 log-probability of each token.

    `logits` has shape (batch, length, vocabulary), `index` and the result (batch, length).
    """
    return _selective_log_softmax(logits.float(), index)


def forward_in_float32(trainer: type) -> None:
    """Give TRL's part of a trainer the logits in float32, whatever the model computes in."""
    _concatenated_forward = trainer.concatenated_forward

    def concatenated_forward(self: Any, model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, ...]:
        def model_in_float32(*args: Any, **kwargs: Any) -> Any:
            outputs = model(*args, **kwargs)
            outputs.logits = outputs.logits.float()
            return outputs

        return _concatenated_forward(self, model_in_float32, batch)

    trainer.concatenated_forward = concatenated_forward


rlhf_mixin.selective_log_softmax = selective_log_softmax
for ours in (CPOTrainer, ORPOTrainer):
    forward_in_float32(ours.__bases__[-1])
