"""Keep the embeddings, which are not trained, in the machine's memory, and send a batch's rows to the GPU."""

from typing import Any

import torch
from swift.trainers import SwiftMixin

_train = SwiftMixin.train


def move_embeddings(model: Any) -> None:
    """Move the rows of a model's embeddings to the machine's memory; on a CPU they stay where they are."""
    embeddings = model.get_input_embeddings()
    device = embeddings.weight.device
    rows = embeddings.weight.data.cpu()
    if device.type == "cuda":
        rows = rows.pin_memory()
        embeddings.weight.data = torch.empty(0, dtype=rows.dtype, device=device)
        torch.cuda.empty_cache()
    embeddings.forward = lambda ids: torch.nn.functional.embedding(ids.cpu(), rows).to(device, non_blocking=True)


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train with the embeddings in the machine's memory."""
    move_embeddings(self.accelerator.unwrap_model(self.model).get_base_model())
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
