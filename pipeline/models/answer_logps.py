"""Log-probabilities of answers under a model, many conversations at a time, in a fixed amount of memory.

The vocabulary of gpt-oss has 201,088 tokens: the logits of a batch of long conversations would be larger than the
model. Here the model is run up to its last hidden states, and logits are taken for some answer tokens at a time.
"""

import sys
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from pipeline.launch.run_swift import CPU_THREADS
from pipeline.models.loading import note_loading
from pipeline.models.packed_experts import keep_packed

# Number of answer tokens whose logits are in memory at once: 400 MiB in float32 for gpt-oss's vocabulary.
TOKENS_AT_ONCE = 512


@dataclass(frozen=True)
class Conversation:
    """A prompt with an answer: its tokens, and the positions of those that count. A number takes 4 bytes."""

    ids: "array[int]"  # not a generic type at run time in Python 3.11
    counted: "array[int]"

    @classmethod
    def from_labels(cls, ids: list[int], labels: list[int]) -> "Conversation":
        """Return a conversation. Tokens with a label count, except the first token, which nothing predicts."""
        return cls(array("i", ids), array("i", (n for n, label in enumerate(labels) if label >= 0 and n)))


Row = tuple[Conversation, ...]  # a pair, or a single conversation
Scores = list[tuple[float, ...]]


def prepare_cpu() -> None:
    """Make sums on the CPU independent of the number of threads that a rule has."""
    torch.set_num_threads(CPU_THREADS)
    torch.use_deterministic_algorithms(
        True
    )  # with several threads the order of additions, and so the rounding, would vary


def load_model(folder: Path, adapter: Path | None, settings: Mapping[str, Any]) -> Any:
    """Return a model, with an adapter on it if one is given, on as many GPUs as are claimed.

    Of the settings it takes type, attention and experts of `infer` and `dpo`. Stops with one line if the model cannot
    be loaded.
    """
    infer, experts_impl = settings["infer"], settings["dpo"]["experts_impl"]
    implementations = {"dtype": infer["torch_dtype"], "attn_implementation": infer["attn_impl"]}
    implementations |= {"experts_implementation": experts_impl} if experts_impl else {}
    placed = {"device_map": "auto"} if infer["gpus"] else {}
    keep_packed()
    note_loading()
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, **implementations, **placed)
        if adapter:
            model = PeftModel.from_pretrained(model, adapter)
    except Exception as error:  # loaders raise exceptions of many kinds
        said = str(error).strip().splitlines() or [type(error).__name__]
        sys.exit(f"{adapter or folder}: cannot be loaded: {said[0]}")
    return model.eval()


def sum_logps(model: Any, conversations: list[Conversation]) -> list[float]:
    """Return the float32 sum of the log-probabilities of each conversation's tokens that count."""
    model = model.get_base_model() if isinstance(model, PeftModel) else model
    device = model.get_input_embeddings().weight.device
    longest = max(len(one.ids) for one in conversations)
    ids = torch.zeros(len(conversations), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, one in enumerate(conversations):
        ids[row, : len(one.ids)] = torch.tensor(one.ids)
        mask[row, : len(one.ids)] = 1
    counts = [len(one.counted) for one in conversations]
    rows = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    places = torch.tensor([place for one in conversations for place in one.counted], dtype=torch.long)
    with torch.inference_mode():
        hidden = model.base_model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)[0]
        # The hidden state before a token predicts it.
        logps = token_logps(model.get_output_embeddings(), hidden[rows, places - 1], ids[rows, places])
    return [float(part.sum()) for part in logps.split(counts)]


def token_logps(head: Any, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the float32 log-probability of each target, of shape (tokens,), from states of shape (tokens, width)."""
    found = [torch.zeros(0)]
    for some, wanted in zip(states.split(TOKENS_AT_ONCE), targets.split(TOKENS_AT_ONCE), strict=True):
        logits = head(some).float()
        own = logits.gather(-1, wanted[:, None].to(logits.device))[:, 0]
        found.append((own - logits.logsumexp(-1)).cpu())
    return torch.cat(found)


def list_batches(rows: Sequence[Row], size: int) -> list[list[int]]:
    """Return the numbers of all rows in batches of similar length; the longest, which take most memory, first."""
    order = sorted(range(len(rows)), key=lambda n: -max(len(one.ids) for one in rows[n]))
    starts = [*range(0, len(order), size), len(order)]
    return [order[start:end] for start, end in pairwise(starts)]


def score_rows(score: Callable[[list[Conversation]], list[float]], rows: Sequence[Row]) -> Scores:
    """Return the score of each conversation of each row; a batch that is too large for the GPU is scored in halves."""
    try:
        sums = iter(score([one for row in rows for one in row]))
        return [tuple(next(sums) for _ in row) for row in rows]
    except torch.OutOfMemoryError as error:
        if len(rows) == 1:
            longest = max(len(one.ids) for one in rows[0])
            sys.exit(f"a row of {longest} tokens does not fit into the GPU's memory: {str(error).splitlines()[0]}")
    print(f"{len(rows)} rows do not fit into the GPU's memory at once; they are scored in halves", flush=True)
    torch.cuda.empty_cache()
    middle = len(rows) // 2
    return [*score_rows(score, rows[:middle]), *score_rows(score, rows[middle:])]


def score_batches(model: Any, rows: Sequence[Row], batches: list[list[int]]) -> Iterator[dict[int, tuple[float, ...]]]:
    """Yield the scores of one batch after another, by the number of the row."""
    for batch in batches:
        scores = score_rows(lambda some: sum_logps(model, some), [rows[n] for n in batch])
        yield dict(zip(batch, scores, strict=True))
