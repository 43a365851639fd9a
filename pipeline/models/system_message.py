"""The text of the system message that ms-swift's template of gpt-oss writes before every conversation."""

from string import Template

SYSTEM_MESSAGE = Template(
    "You are ChatGPT, a large language model trained by OpenAI.\n"
    "Knowledge cutoff: 2024-06\nCurrent date: $date\n\nReasoning: medium\n\n"
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
INSTRUCTIONS = "# Instructions\n\n"  # before the system message of a row, which the template gives to the developer
