"""A stand-in for the package vllm: what ms-swift imports of it, and an engine that answers each prompt with itself.

It says in a line of JSON what the engine was asked for.
"""

import json
import sys
from types import SimpleNamespace
from typing import Any

__version__ = "0.23.0"
async_llm_engine = None


class EngineArgs:
    """Settings of an engine."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


class SamplingParams(EngineArgs):
    """Settings of an answer, with vLLM's defaults of those that ms-swift reads."""

    temperature, top_k, top_p, min_p, repetition_penalty = 1.0, 0, 1.0, 0.0, 1.0
    n, seed, stop, frequency_penalty, presence_penalty = 1, None, None, 0.0, 0.0


AsyncEngineArgs, PoolingParams, StructuredOutputsParams = EngineArgs, SamplingParams, SamplingParams


class LLMEngine:
    """Answers a prompt with its own tokens, the last prompt first."""

    @classmethod
    def from_engine_args(cls, arguments: EngineArgs) -> Any:
        """Return an engine, and say what it was made from, as it is when the engine is made."""
        print(json.dumps({"engine": vars(arguments)}, default=str), flush=True)
        return cls()

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def add_request(self, request_id: str, prompt: dict[str, Any], asked: SamplingParams, **_: Any) -> None:
        """Take a prompt."""
        print(json.dumps({"prompt": prompt["prompt_token_ids"], "asked": vars(asked)}, default=str), flush=True)
        ids = list(prompt["prompt_token_ids"])
        output = SimpleNamespace(token_ids=ids, index=0, finish_reason="stop", logprobs=None)
        self.waiting.append(
            SimpleNamespace(finished=True, request_id=request_id, prompt_token_ids=ids, outputs=[output])
        )

    def has_unfinished_requests(self) -> bool:
        """Say whether a prompt waits."""
        return bool(self.waiting)

    def step(self) -> list[Any]:
        """Answer one prompt."""
        return [self.waiting.pop()]


AsyncLLMEngine = LLMEngine
for name in ("engine", "pooling_params", "sampling_params"):
    sys.modules[f"{__name__}.{name}"] = sys.modules[__name__]
