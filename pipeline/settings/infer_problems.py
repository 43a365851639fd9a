"""Find settings of inference that do not go together."""

from collections.abc import Iterator
from typing import Any

# vLLM shares a layer's heads among the GPUs, and gpt-oss has 64, with keys and values in 8 groups.
VLLM_GPUS = (1, 2, 4, 8)
# What reaches an answer only where it is sampled, with the value that config.yaml has.
SAMPLED = {"top_p": 1, "top_k": 50, "answers_per_prompt": 1}


def find_infer_problems(config: dict[str, Any]) -> list[str]:
    """Return one line for each setting of inference that another one leaves without effect, or makes impossible."""
    return [*find_sampling_problems(config["infer"]), *find_vllm_problems(config)]


def find_sampling_problems(infer: dict[str, Any]) -> Iterator[str]:
    """Yield one line for each setting of sampling beside temperature 0, with which nothing is sampled."""
    for name, usual in SAMPLED.items():
        if infer[name] != usual and not infer["temperature"]:
            yield (
                f"infer.{name}: has no effect with infer.temperature 0, which takes the likeliest token; "
                f"set infer.{name} to {usual}, or infer.temperature above 0"
            )


def find_vllm_problems(config: dict[str, Any]) -> Iterator[str]:
    """Yield one line for each setting with which vLLM cannot answer."""
    if config["infer"]["backend"] != "vllm":
        return
    if config["infer"]["gpus"] not in VLLM_GPUS:
        yield "infer.gpus: with infer.backend vllm it must be 1, 2, 4 or 8; set one of these, or transformers"
    # The model after SFT is then the base model with an adapter on it, and evaluation asks it for answers.
    if config["sft"]["enabled"] and config["sft"]["join"] == "stacked":
        yield "sft.join: infer.backend vllm takes whole models only; set merged, or transformers"
