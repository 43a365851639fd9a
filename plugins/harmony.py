"""Render conversations as openai-harmony does, where ms-swift's template of gpt-oss does otherwise.

- Its system message has today's date, so that the same data gives other tokens, and another model, on another day; and
  always a medium effort. Here the date is PROMPT_DATE, and the effort that of the row (`chat_template_kwargs`), else
  REASONING_EFFORT.
- It knows no tools: here they stand in the developer's message, calls and results in the commentary channel.
- A loss scale `final` counts nothing of an answer before its final text: last_round+final.
"""

import json
import os
from datetime import date
from typing import Any

from swift.loss_scale import mapping
from swift.loss_scale.base import LossScale
from swift.template import Template
from swift.template.template_inputs import TemplateInputs
from swift.template.templates.llm import GptTemplate

from pipeline.models.channels import CHANNEL, FINAL
from pipeline.models.harmony_tools import write_tools
from pipeline.models.harmony_turns import fold_tools
from pipeline.models.system_message import EFFORTS, write_before

DATE = date.fromisoformat(os.environ["PROMPT_DATE"]).isoformat()
EFFORT = os.environ["REASONING_EFFORT"]
assert EFFORT in EFFORTS, f"REASONING_EFFORT: {EFFORT}"

_make_rejected = TemplateInputs._compat_rejected_response


def prepare_inputs(self: Any, inputs: Any) -> None:
    """Write the system message, and the channels of answers; take the place of ms-swift's own function."""
    Template._swift_prepare_inputs(self, inputs)
    if not self.use_chat_template:
        return
    effort = inputs.chat_template_kwargs.get("reasoning_effort") or EFFORT
    tools = inputs.tools or json.loads(inputs.chat_template_kwargs.get("tools") or "[]")  # swift_rows.py
    inputs.system, inputs.tools = write_before(DATE, effort, inputs.system, write_tools(tools)), None
    for message in inputs.messages:
        text = message["content"]
        if message["role"] == "assistant" and isinstance(text, str) and not text.startswith(CHANNEL):
            message["content"] = FINAL + text


def fold_and_compare(inputs: dict[str, Any]) -> None:
    """Fold the turns with tools of a row before ms-swift makes the rejected conversation of it.

    In place of the answer, it would put the rejected one in the place of all that follows the question.
    """
    inputs["messages"] = fold_tools(inputs["messages"])
    _make_rejected(inputs)


class FinalLossScale(LossScale):  # type: ignore[misc]
    """Counts the text of an answer's final channel; neither its analysis nor the marks before the text."""

    def get_loss_scale(self, context: Any, **_: Any) -> tuple[list[Any], list[float]]:
        """Return an answer in parts, each with its weight."""
        before, mark, text = context.rpartition(FINAL) if isinstance(context, str) else ("", "", context)
        return ([before + mark, text], [0.0, 1.0]) if mark else ([text], [1.0])


GptTemplate._swift_prepare_inputs = prepare_inputs
TemplateInputs._compat_rejected_response = staticmethod(fold_and_compare)
GptTemplate._preprocess_tools = lambda self, inputs: None  # it would ask for an agent of another model's
mapping.loss_scale_map["final"] = FinalLossScale
