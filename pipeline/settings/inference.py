"""Refuse settings that vLLM does not support, if `infer.backend` is vllm."""

from typing import Any

# A layer's heads are shared among the GPUs, and gpt-oss has 64, with keys and values in 8 groups.
GPUS = (1, 2, 4, 8)


def find_infer_problems(config: dict[str, Any]) -> list[str]:
    """Return one line for each setting with which vLLM cannot answer."""
    if config["infer"]["backend"] != "vllm":
        return []
    problems = []
    if config["infer"]["gpus"] not in GPUS:
        problems.append(
            "infer.gpus: with infer.backend vllm it must be 1, 2, 4 or 8; set one of these, or transformers"
        )
    # The model after SFT is then the base model with an adapter on it, and evaluation asks it for answers.
    if config["sft"]["enabled"] and config["sft"]["join"] == "stacked":
        problems.append("sft.join: infer.backend vllm takes whole models only; set merged, or transformers")
    return problems
