"""What every swift command is told of its model, so that no file in the model's folder decides it.

ms-swift would take both from an args.json there, which other trainings leave, and the prompt with them.
"""

from pathlib import Path

MODEL_TYPE = "gpt_oss"
TEMPLATE = "gpt_oss"
PROMPT_FLAGS = ("--model_type", MODEL_TYPE, "--template", TEMPLATE)


def model_flags(model: Path) -> list[str]:
    """Return the flags that name a model, and how a conversation is written for it."""
    return ["--model", str(model), *PROMPT_FLAGS]
