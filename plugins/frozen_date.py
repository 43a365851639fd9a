"""Freeze the date in the system prompt at the value of PROMPT_DATE (YYYY-MM-DD).

ms-swift's gpt_oss template writes today's date into every prompt, so that the same data gives other
tokens, and another model, on another day.
"""

import os
import re
from datetime import date
from typing import Any

from swift.template.templates.llm import GptTemplate

DATE_LINE = re.compile(r"Current date: \d{4}-\d{2}-\d{2}")


def freeze(frozen: date) -> None:
    """Make the template write `frozen` where it wrote the day on which it runs."""
    write_prefix = GptTemplate._get_gpt_oss_prefix

    def write_frozen_prefix(self: Any) -> str:
        text, found = DATE_LINE.subn(f"Current date: {frozen.isoformat()}", write_prefix(self))
        if found != 1:
            raise RuntimeError("the gpt_oss template has no single date line; was ms-swift updated?")
        return text

    GptTemplate._get_gpt_oss_prefix = write_frozen_prefix


freeze(date.fromisoformat(os.environ["PROMPT_DATE"]))
