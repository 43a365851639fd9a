"""Log-probabilities of answers by transformers alone: one conversation at a time, no padding, no trainer."""

from pathlib import Path
from typing import NamedTuple

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from pipeline.models.render_chat import load_template


class Answer(NamedTuple):
    """The log-probability of each token that counts, under the policy and under the reference model.

    `routing` holds the policy's router logits of the whole conversation, a row for each token in each layer.
    """

    policy: torch.Tensor
    ref: torch.Tensor
    routing: torch.Tensor

    @property
    def ratio(self) -> torch.Tensor:
        """The log of how much likelier the policy makes the answer than the reference model does."""
        return self.policy.sum() - self.ref.sum()


Pairs = list[tuple[Answer, Answer]]


@torch.no_grad()
def read_conversation(model, ids: list[int], labels: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the log-probability of each token that has a label (the logits before it predict it), and the routing."""
    output = model(input_ids=torch.tensor([ids]), output_router_logits=True)
    counted = [position for position, label in enumerate(labels) if label >= 0]
    logps = [output.logits[0, position - 1].log_softmax(-1)[ids[position]] for position in counted]
    return torch.stack(logps), torch.cat(output.router_logits)


def score_pairs(
    folder: Path, adapter: Path | None, pairs: list[dict], prompt: dict[str, str], loss_scale: str
) -> Pairs:
    """Score pairs with a model, and with an adapter on it as the policy; without one the policy is the reference."""
    template = load_template(folder, prompt, loss_scale=loss_scale)
    template.set_mode("train")

    encoded = [template.encode({"messages": messages}) for row in pairs for messages in both(row)]

    def score(model) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [read_conversation(model, row["input_ids"], row["labels"]) for row in encoded]

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    ref = score(model)
    policy = score(PeftModel.from_pretrained(model, adapter)) if adapter else ref
    answers = [Answer(logps, base, routing) for (logps, routing), (base, _) in zip(policy, ref, strict=True)]
    return list(zip(answers[::2], answers[1::2], strict=True))


def both(pair: dict) -> tuple[list[dict], list[dict]]:
    """Return the conversation with the chosen answer, and with the rejected one."""
    *prompt, _ = pair["messages"]
    return pair["messages"], [*prompt, {"role": "assistant", "content": pair["rejected_response"]}]
