"""Sum the log-probabilities of an answer in float32.

Under ZeRO-3 the logits arrive in bfloat16, and so do the sums over an answer: near -128 they come in
steps of 0.5. Rewards and accuracies then come in steps too, and the first loss reads 0.6914 for ln 2.
"""

import torch
from swift.rlhf_trainers import rlhf_mixin

_selective_log_softmax = rlhf_mixin.selective_log_softmax


def selective_log_softmax(logits: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Return the float32 log-probability of each token.

    `logits` has shape (batch, length, vocabulary), `index` and the result (batch, length).
    """
    return _selective_log_softmax(logits.float(), index)


rlhf_mixin.selective_log_softmax = selective_log_softmax
