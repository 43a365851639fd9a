"""Note in each row of `swift infer` how its answer ended, and the tokens of its analysis and of its final.

ms-swift knows why an answer ended, and does not write it down. Under transformers it calls every answer of
max_new_tokens tokens cut, also one whose last token is its end. Under vLLM the reason is vLLM's own.
"""

from dataclasses import replace
from typing import Any

from swift.infer_engine import RequestConfig
from swift.pipelines.infer.infer import SwiftInfer

from pipeline.models.channels import split_channels

ENDS = ["<|return|>", "<|call|>", "<|endoftext|>"]

_batch_infer = SwiftInfer._batch_infer


def answer_and_note(self: SwiftInfer, prompts: Any, config: RequestConfig) -> list[dict[str, Any]]:
    """Answer prompts as ms-swift does, and add to each row what it leaves out."""
    answers: list[Any] = []

    def infer(*given: Any, **options: Any) -> list[Any]:
        answers.extend(self.infer_engine.infer(*given, **options))
        return answers

    self.infer = infer
    rows = _batch_infer(self, prompts, replace(config, return_details=True))  # with the tokens of the answers
    return [
        row | describe_end(answer.choices[0], self.template.tokenizer)
        for row, answer in zip(rows, answers, strict=True)
    ]


def describe_end(answer: Any, tokenizer: Any) -> dict[str, Any]:
    """Return how an answer ended (schemas/prediction.schema.json), and the tokens of both channels."""
    analysis, final = split_channels(answer.message.content)
    last = answer.token_ids[-1] if answer.token_ids else None
    ended = answer.finish_reason == "stop" or last in tokenizer.convert_tokens_to_ids(ENDS)
    calls = last == tokenizer.convert_tokens_to_ids("<|call|>")
    finish = "length" if not ended else "no_final" if calls or not (final or "").strip() else "stop"
    counts = [len(tokenizer.encode(text or "", add_special_tokens=False)) for text in (analysis, final)]
    return {"finish": finish, "analysis_tokens": counts[0], "final_tokens": counts[1]}


SwiftInfer._batch_infer = answer_and_note
