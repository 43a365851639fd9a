"""Split pairs into single answers with a label each, the format that ms-swift reads for KTO."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import iterate_json_lines, write_json_lines
from pipeline.models.system_message import prompt_settings


def rated_answers(pair: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the chosen answer as desirable, and the rejected one as undesirable."""
    *prompt, chosen = pair["messages"]
    for text, label in ((chosen["content"], True), (pair["rejected_response"], False)):
        messages = [*prompt, {"role": "assistant", "content": text}]
        yield prompt_settings(pair) | {"messages": messages, "label": label}


def write_rated_answers(pairs: Path, folder: Path) -> Path:
    """Write two rows for each pair of a file into a file of the same name in a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / pairs.name
    write_json_lines(target, (row for pair in iterate_json_lines(pairs) for row in rated_answers(pair)))
    return target
