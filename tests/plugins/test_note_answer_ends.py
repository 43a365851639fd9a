"""note_answer_ends.py: how an answer ended, from ms-swift's reason and the answer's own last token."""

import runpy
from types import SimpleNamespace

import pytest

from pipeline.models.render_chat import load_processor

pytestmark = pytest.mark.training_environment

THINKS, SAYS = "<|channel|>analysis<|message|>Hm.", "<|channel|>final<|message|>Yes"
NEXT = "<|end|><|start|>assistant"


@pytest.fixture(scope="module")
def describe(built):
    """Return a function that describes an answer, from its text, its last token and ms-swift's reason."""
    describe_end = runpy.run_path("plugins/note_answer_ends.py")["describe_end"]
    tokenizer = load_processor(built[0])

    def run(text: str, last: str, reason: str) -> dict:
        ids = tokenizer.encode(text + last, add_special_tokens=False)
        answer = SimpleNamespace(message=SimpleNamespace(content=text), finish_reason=reason, token_ids=ids)
        return describe_end(answer, tokenizer)

    return run


@pytest.mark.parametrize(
    ("text", "last", "reason", "finish"),
    [
        (THINKS + NEXT + SAYS, "<|return|>", "stop", "stop"),
        (SAYS, "<|return|>", "stop", "stop"),
        (SAYS, "", "length", "length"),
        (THINKS, "", "length", "length"),
        (THINKS, "<|return|>", "stop", "no_final"),
        ("<|channel|>commentary to=functions.f<|message|>{}<|call|>", "", "stop", "no_final"),
        # Its end is the last token that it was allowed.
        (SAYS, "<|return|>", "length", "stop"),
        (THINKS, "<|endoftext|>", "length", "no_final"),
        # Its final is empty, or what it ends with is a call.
        (SAYS.removesuffix("Yes"), "<|return|>", "stop", "no_final"),
        (SAYS + NEXT + " to=functions.f<|channel|>commentary<|message|>{}", "<|call|>", "stop", "no_final"),
        # Without any token, as padding is left out.
        ("", "", "stop", "no_final"),
    ],
)
def test_an_answer_was_ended_by_the_model_or_cut(describe, text, last, reason, finish):
    assert describe(text, last, reason)["finish"] == finish


def test_tokens_are_counted_by_channel_without_the_marks(describe, built):
    tokenizer = load_processor(built[0])
    found = describe(THINKS + NEXT + SAYS, "<|return|>", "stop")
    counts = [len(tokenizer.encode(text, add_special_tokens=False)) for text in ("Hm.", "Yes")]
    assert [found["analysis_tokens"], found["final_tokens"]] == counts
    assert describe(SAYS, "", "length")["analysis_tokens"] == 0
