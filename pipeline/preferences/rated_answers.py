"""Split pairs into single answers with a label each, the format that ms-swift reads for KTO."""

from collections.abc import Iterator
from typing import Any

from pipeline.models.system_message import prompt_settings


def rated_answers(pair: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the chosen answer as desirable, and the rejected one as undesirable."""
    *prompt, chosen = pair["messages"]
    for text, label in ((chosen["content"], True), (pair["rejected_response"], False)):
        messages = [*prompt, {"role": "assistant", "content": text}]
        yield prompt_settings(pair) | {"messages": messages, "label": label}
