"""Turn conversations into the same tokens as ms-swift's training and inference."""

import os
import runpy
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.files.hide_private import hide_in_record
from pipeline.launch.model_flags import MODEL_TYPE, TEMPLATE
from pipeline.launch.plugins import plugin_files
from pipeline.launch.run_swift import OFFLINE, Prompt, prompt_variables
from pipeline.models.system_message import prompt_settings

Row = Mapping[str, Any]  # with `messages`, and perhaps tools and an effort; a pair, with `rejected_response`, too
Rendered = tuple[list[int], list[int]]
Encode = Callable[[Row], dict[str, Any]]


def load_template(tokenizer_folder: Path, prompt: Prompt, **settings: Any) -> Any:
    """Return ms-swift's template of gpt-oss.

    The folder needs a tokenizer and a config.json that names gpt-oss; `prompt` are the settings of that name. Others
    are those of `swift.get_template`, such as max_length and loss_scale.
    """
    os.environ.update(OFFLINE, **prompt_variables(prompt))
    for plugin in plugin_files():
        runpy.run_path(plugin)
    from swift import get_template  # reads the environment when it is imported

    return get_template(load_processor(tokenizer_folder), template_type=TEMPLATE, **settings)


@cache
def load_processor(tokenizer_folder: Path) -> Any:
    """Return ms-swift's processor of a folder, after the plugins; gpt-oss's own takes seconds to load."""
    from swift import get_processor
    from swift.utils import get_logger

    get_logger().addFilter(hide_in_record)
    return get_processor(str(tokenizer_folder), model_type=MODEL_TYPE)


def load_pair_encoder(tokenizer_folder: Path, prompt: Prompt, **settings: Any) -> Encode:
    """Return a function from a pair to the values that DPO training sees.

    Those are chosen_input_ids, chosen_labels (the token id where it is trained, else -100), rejected_input_ids and
    rejected_labels, each of the conversation's length. Settings are those of `load_template`.
    """
    template = load_template(tokenizer_folder, prompt, **settings)
    template.set_mode("rlhf")
    return lambda pair: dict(template.encode(said_of(pair) | {"rejected_response": pair["rejected_response"]}))


def said_of(row: Row) -> dict[str, Any]:
    """Return the part of a row that is rendered: its messages, tools, and reasoning effort."""
    return {"messages": [dict(message) for message in row["messages"]]} | prompt_settings(row)


def load_prompt_renderer(tokenizer_folder: Path, prompt: Prompt) -> Callable[[Row], list[int]]:
    """Return a function from a row to the token ids that `swift infer` sends: of all but the last answer."""
    template = load_template(tokenizer_folder, prompt)
    template.set_mode("transformers")

    def render(row: Row) -> list[int]:
        said = said_of(row)
        ids: list[int] = template.encode(said | {"messages": said["messages"][:-1]})["input_ids"]
        return ids

    return render


def load_renderer(tokenizer_folder: Path, prompt: Prompt) -> Callable[[Row], Rendered]:
    """Return a function from a row to (token ids, labels), both of the conversation's length.

    Labels are the token id where ms-swift trains (assistant turns), else -100.
    """
    template = load_template(tokenizer_folder, prompt)
    template.set_mode("train")

    def render(row: Row) -> Rendered:
        encoded = template.encode(said_of(row))
        return encoded["input_ids"], encoded["labels"]

    return render
