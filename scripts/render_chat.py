"""Turn conversations into tokens exactly as ms-swift's training and inference do."""

import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from run_swift import OFFLINE, PLUGINS

Messages = list[dict[str, str]]
Rendered = tuple[list[int], list[int]]


def load_template(tokenizer_folder: Path, prompt_date: str, **settings: Any) -> Any:
    """Return ms-swift's template of gpt-oss.

    The folder needs a tokenizer and a config.json that names gpt-oss; `prompt_date` is YYYY-MM-DD. Settings
    are those of `swift.get_template`, such as max_length and loss_scale.
    """
    os.environ.update(OFFLINE, PROMPT_DATE=prompt_date)
    for plugin in ("no_remote_code", "frozen_date"):
        runpy.run_path(str(PLUGINS / f"{plugin}.py"))
    from swift import get_processor, get_template  # reads the environment when it is imported

    return get_template(get_processor(str(tokenizer_folder)), **settings)


def load_renderer(tokenizer_folder: Path, prompt_date: str) -> Callable[[Messages], Rendered]:
    """Return a function from messages to (token ids, labels), both of the conversation's length.

    Labels are the token id where ms-swift trains (assistant turns), else -100.
    """
    template = load_template(tokenizer_folder, prompt_date)
    template.set_mode("train")

    def render(messages: Messages) -> Rendered:
        encoded = template.encode({"messages": [dict(message) for message in messages]})
        return encoded["input_ids"], encoded["labels"]

    return render
