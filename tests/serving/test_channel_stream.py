"""channel_stream.py: an answer that comes in pieces is taken apart as one that comes at once."""

import pytest

from pipeline.models.channels import split_channels
from pipeline.serving.channel_stream import ChannelStream

THINKS = "<|channel|>analysis<|message|>Let me see: 2 < 3.<|end|><|start|>assistant<|channel|>final<|message|>Save all"
ANSWERS = {
    "a final alone": "<|channel|>final<|message|>Step 6: Lock all",
    "no channel": "Step 6 <b>Lock</b>",
    "a final after an analysis": THINKS,
    "the end that the model wrote": f"{THINKS}<|return|>",
    "an analysis that was cut": "<|channel|>analysis<|message|>Let me see",
    "cut in the head": "<|channel|>analysis<|message|>Let me see<|end|><|start|>assistant<|channel|>fin",
    "two thoughts": f"<|channel|>analysis<|message|>First.<|end|><|start|>assistant{THINKS}",
    "a call": "<|channel|>commentary to=functions.get <|constrain|>json<|message|>{}<|call|>",
    "nothing": "",
}


def stream(text: str, size: int) -> list[tuple[str, str]]:
    """Return the new texts of both channels, for each piece of a size."""
    channels = ChannelStream()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [*(channels.add(piece, ended=False) for piece in pieces), channels.add("", ended=True)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_the_pieces_together_are_the_channels_of_the_whole_answer(text, size):
    parts = stream(text, size)
    together = tuple("".join(part[channel] for part in parts) for channel in (0, 1))
    assert together == tuple(part or "" for part in split_channels(text))


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("text", [text for name, text in ANSWERS.items() if name not in ("a call", "cut in the head")])
def test_no_piece_has_a_part_of_a_mark(text, size):
    assert not any("<|" in part or "|>" in part for piece in stream(text, size) for part in piece)


def test_a_text_is_passed_on_as_soon_as_it_comes():
    channels = ChannelStream()
    assert channels.add("<|channel|>final<|message|>Step ", ended=False) == ("", "Step ")
    assert channels.add("6: ", ended=False) == ("", "6: ")


def test_a_second_final_follows_the_first():
    final = "<|channel|>final<|message|>"
    assert stream(f"{final}One<|end|><|start|>assistant{final}Two", 1000)[0] == ("", "One\n\nTwo")
