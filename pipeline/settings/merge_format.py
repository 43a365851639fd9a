"""In which format a merged model is written: that of the model as it came, or bfloat16."""

from collections.abc import Iterator
from typing import Any

from pipeline.models.shape import named_parameters


def keeps_format(config: dict[str, Any]) -> bool:
    """Say whether the merged model is written as the model came: where that is asked for, or can be done."""
    chosen = config["merge"]["format"]
    return chosen == "as_base" or (chosen == "auto" and not named_parameters(config["dpo"]))


def find_merge_problems(config: dict[str, Any]) -> Iterator[str]:
    """Yield one line if experts should stay packed although they are trained."""
    if config["merge"]["format"] == "as_base" and named_parameters(config["dpo"]):
        yield (
            "merge.format: as_base keeps the packed experts, and dpo.target_parameters trains them; to pack them again "
            "would undo that: of an update of 1 % nothing is left; set auto or bfloat16"
        )
