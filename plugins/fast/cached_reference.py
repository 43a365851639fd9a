"""Compute the reference's log-probabilities of a pair once, and keep them for later epochs and trainings.

The contract's reference_folder holds them, and is named after all on which they depend: model, adapter, prompt,
precision. A file a process, a line a pair: a digest of its tokens, log-probabilities of chosen and rejected.
Those of the first step are always computed again, and compared with the kept ones: a gate.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from swift.rlhf_trainers import DPOTrainer

from pipeline.files.json_lines import trim_log
from pipeline.gates import gate, record_gate
from pipeline.launch.contract import Contract

CONTRACT = Contract.read()
# What a batch holds beside what the model reads, for ms-swift's trainer.
CHOSEN, REJECTED = "ref_chosen_logps", "ref_rejected_logps"
# Nats of a pair's margin for each token of its answers: bfloat16 keeps 8 bits, and another batch rounds otherwise.
TOLERANCE = 0.02
Logps = tuple[float, float]


def read_kept(folder: Path) -> dict[str, Logps]:
    """Return the kept rows, without a line that was cut off when a training was killed."""
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_bytes().splitlines(keepends=True)]
    rows = (json.loads(line) for line in lines if line.endswith(b"\n"))
    return {name: (chosen, rejected) for name, chosen, rejected in rows}


def name_pairs(batch: dict[str, torch.Tensor]) -> list[str]:
    """Return a digest of the tokens and labels of each pair, whatever it is padded to."""
    ids, labels, mask = (batch[key].cpu() for key in ("input_ids", "labels", "attention_mask"))
    sequences = [
        row[kept].numpy().tobytes() + own[kept].numpy().tobytes()
        for row, own, kept in zip(ids, labels, mask.bool(), strict=True)
    ]
    half = len(sequences) // 2
    pairs = zip(sequences[:half], sequences[half:], strict=True)
    return [hashlib.sha256(len(one).to_bytes(8, "big") + one + other).hexdigest()[:24] for one, other in pairs]


@contextmanager
def silent_adapter(model: Any) -> Iterator[None]:
    """Let an adapter add nothing, as before its first step, while everything else is computed as with it."""
    weights = [weight for name, weight in model.named_parameters() if ".lora_B." in name]
    kept = [weight.data for weight in weights]
    for weight in weights:
        weight.data = torch.zeros_like(weight)
    try:
        yield
    finally:
        for weight, data in zip(weights, kept, strict=True):
            weight.data = data


def compute_reference(trainer: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the reference's log-probabilities of chosen and rejected answers, each of shape (pairs,).

    They come before the policy's, through the same compiled kernels, those that keep what a backward pass needs: others
    round to bfloat16 elsewhere, and the margins of a policy that is the reference would not be 0.
    """
    off = trainer.null_ref_context() if trainer.ref_adapter_name else silent_adapter(trainer.model)
    with off:
        output = trainer.concatenated_forward(trainer.model, batch, is_ref_model=True)
    return output["chosen_logps"].detach(), output["rejected_logps"].detach()


class Reference:
    """What is kept of the reference's log-probabilities, and the file where this process adds to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.kept = read_kept(folder)
        self.file = folder / f"{os.environ.get('RANK', '0')}.jsonl"
        trim_log(self.file)

    def keep(self, names: list[str], logps: list[Logps]) -> None:
        """Add the log-probabilities of pairs that are new."""
        new = {name: pair for name, pair in zip(names, logps, strict=True) if name not in self.kept}
        self.kept |= new
        with self.file.open("a", encoding="utf-8") as lines:
            lines.writelines(json.dumps([name, *pair]) + "\n" for name, pair in new.items())

    def find(self, trainer: Any, batch: dict[str, Any]) -> list[Logps]:
        """Return the kept log-probabilities of a batch. Missing ones, and all of the first step, are computed."""
        names = name_pairs(batch)
        begins = trainer.model.training and trainer.state.global_step == 0
        if not begins and all(name in self.kept for name in names):
            return [self.kept[name] for name in names]
        computed = list(zip(*(part.tolist() for part in compute_reference(trainer, batch)), strict=True))
        known = [(own, self.kept[name]) for name, own in zip(names, computed, strict=True) if name in self.kept]
        if begins and known:
            judge_kept(known, int((batch["labels"] >= 0).sum()) / len(names))
        self.keep(names, computed)
        return computed


def judge_kept(known: list[tuple[Logps, Logps]], tokens: float) -> None:
    """Stop a training whose reference is not the one whose log-probabilities were kept."""
    apart = max(abs((new[0] - new[1]) - (old[0] - old[1])) for new, old in known)
    most = TOLERANCE * tokens
    record_gate(
        CONTRACT.gates_file,
        gate("kept_reference", apart <= most, round(apart, 4), f"within {most:.4g} of what was kept"),
    )


assert CONTRACT.reference_folder, "the contract names no folder for what the reference says"
reference = Reference(Path(CONTRACT.reference_folder))
_get_batch_loss_metrics = DPOTrainer.get_batch_loss_metrics
_concatenated_forward = DPOTrainer.concatenated_forward


def get_batch_loss_metrics(self: Any, model: Any, batch: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Return the loss of a batch, with the reference's log-probabilities in it."""
    columns = zip(*reference.find(self, batch), strict=True)
    chosen, rejected = (torch.tensor(column, device=self.accelerator.device) for column in columns)
    return _get_batch_loss_metrics(self, model, batch | {CHOSEN: chosen, REJECTED: rejected}, *args, **kwargs)


def concatenated_forward(self: Any, model: Any, batch: dict[str, Any], **kwargs: Any) -> Any:
    """Run the model on what of a batch is for it."""
    read = {name: value for name, value in batch.items() if name not in (CHOSEN, REJECTED)}
    return _concatenated_forward(self, model, read, **kwargs)


DPOTrainer.get_batch_loss_metrics = get_batch_loss_metrics
DPOTrainer.concatenated_forward = concatenated_forward
