"""In which format a merged model is written: that of the model as it came, or bfloat16."""

from collections.abc import Iterator
from typing import Any

from pipeline.models.shape import named_parameters


def keeps_format(config: dict[str, Any]) -> bool:
    """Say whether the merged model is written as the model came: where that is asked for, or can be done."""
    chosen = config["merge"]["format"]
    return chosen == "as_base" or (chosen == "auto" and not named_parameters(config["dpo"]))


def find_merge_problems(config: dict[str, Any]) -> Iterator[str]:
    """Yield one line if a model is to stay packed, and its experts are trained, or an SFT is merged without that."""
    if config["merge"]["format"] == "as_base" and named_parameters(config["dpo"]):
        yield (
            "merge.format: as_base keeps the packed experts, and dpo.target_parameters trains them; to pack them again "
            "would undo that: of an update of 1 % nothing is left; set auto or bfloat16"
        )
    sft = config["sft"]
    dequantised = config["model"]["weights"] == "bfloat16" and sft["enabled"] and sft["join"] == "merged"
    if config["merge"]["format"] == "as_base" and dequantised:
        yield (
            "merge.format: as_base needs a packed model that the SFT is merged into, and model.weights: bfloat16 "
            "dequantises it; set as_published, sft.join: stacked, or merge.format: auto"
        )
