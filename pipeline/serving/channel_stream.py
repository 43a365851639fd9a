"""Take an answer apart into harmony's channels while it comes."""

import re

from pipeline.models.channels import END, NEXT, OPENS, split_head

# What may become a mark, or a head that is not finished: it is kept back until it is one or the other.
OPEN_HEAD = re.compile(r"(?:<\|(?:end|call)\|>)?<\|start\|>(?:(?!<\|message\|>).)*\Z", re.DOTALL)
OPEN_MARK = re.compile(r"<(?:\|[^>]*)?\Z")
FIRST_HEAD = re.compile(r"(?: to=|<\|channel\|>)(?:(?!<\|message\|>).)*\Z", re.DOTALL)
STARTS = (" to=", "<|channel|>")


class ChannelStream:
    """The text of an answer so far, and what of it was passed on.

    Messages of the final channel are the final, all others the analysis: a blank line is between two of them.
    """

    def __init__(self) -> None:
        self.text = ""
        self.passed_on = ["", ""]

    def add(self, text: str, ended: bool) -> tuple[str, str]:
        """Take the next piece; return the new text of the analysis and of the final. `ended`: it is the last piece."""
        self.text += text
        parts = join_channels(self.text if ended else cut_open_end(self.text))
        new = [part[len(old) :] for part, old in zip(parts, self.passed_on, strict=True)]
        self.passed_on = parts
        return new[0], new[1]


def cut_open_end(text: str) -> str:
    """Return a text without its end, if what that means depends on what follows."""
    if any(start.startswith(text) for start in STARTS) or FIRST_HEAD.match(text):
        return ""
    return OPEN_HEAD.sub("", OPEN_MARK.sub("", text))


def join_channels(text: str) -> list[str]:
    """Return the analysis and the final of a text, empty where there is none."""
    first, *more = NEXT.split(text)
    if not more and not OPENS.match(first):
        return ["", END.sub("", first)]
    messages = [split_head(END.sub("", message)) for message in (first, *more)]
    return [
        "\n\n".join(words for channel, words in messages if (channel == "final") is is_final)
        for is_final in (False, True)
    ]
