"""The chat template of an exported model: its folder's, with the date and the reasoning effort of the training.

Two things more are as in the training. Where nobody names an effort, it is that of the training. And the published
template puts an empty line behind the system message, where harmony and so the training have one before tools alone.
"""

import re
from pathlib import Path

from pipeline.launch.run_swift import Prompt
from pipeline.models.model_weights import read_object

OWN = Path(__file__).with_name("harmony.jinja")
TEMPLATE, TOKENIZER = "chat_template.jinja", "tokenizer_config.json"
TODAY = re.compile(r"""strftime_now\(\s*(["'])%Y-%m-%d\1\s*\)""")
# What is written behind the system message; `tools` come next.
EMPTY_LINE = re.compile(r"""(\{\{-?\s*developer_message\s*-?\}\}\s*)(\{\{-?\s*"\\n\\n"\s*-?\}\})""")
EFFORT = '{{%- if reasoning_effort is not defined %}}{{%- set reasoning_effort = "{effort}" %}}{{%- endif %}}'


def read_template(folder: Path) -> tuple[Path, str]:
    """Return a model's chat template, and the file that has it: one of this project's, where the folder has none."""
    if (path := folder / TEMPLATE).is_file():
        return path, path.read_text(encoding="utf-8")
    path = folder / TOKENIZER
    inside = read_object(path).get("chat_template") if path.is_file() else None
    if isinstance(inside, str):
        return path, inside
    return OWN, OWN.read_text(encoding="utf-8").strip()


def freeze_template(folder: Path, prompt: Prompt) -> str:
    """Return a model's chat template with the date and the effort of `prompt`.

    Raises ValueError, in one line, if it asks for the date in another way.
    """
    path, template = read_template(folder)
    frozen = TODAY.sub(f'"{prompt["date"]}"', template)
    if "strftime_now" in frozen:
        raise ValueError(
            f'{path}: calls strftime_now, but not as strftime_now("%Y-%m-%d"); write the date there as that'
        )
    frozen = EMPTY_LINE.sub(r"\1{%- if tools %}\2{%- endif %}", frozen)
    return EFFORT.format(effort=prompt["reasoning_effort"]) + frozen
