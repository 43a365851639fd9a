"""Many pairs as columns, so that a check costs nanoseconds a pair."""

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from operator import attrgetter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.preferences.pair import Pair

SYSTEM, USER, ASSISTANT, CALL, RESPONSE, BEFORE_CALL = range(6)
PLAIN_ROLES = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
ROLES = PLAIN_ROLES | {"tool_call": CALL, "tool_response": RESPONSE}
REJECTED = -1  # the position of the rejected answer, which is not a message


class Columns:
    """The texts of some pairs: every message of every pair in order, then every rejected answer.

    Shapes: M messages and N pairs; `texts` and `owner` have M + N entries, `roles` has M, the others N.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        conversations = list(map(attrgetter("messages"), pairs))
        messages = list(chain.from_iterable(conversations))
        texts = [message.content for message in messages]
        texts += map(attrgetter("rejected_response"), pairs)
        self.texts = pl.Series("text", texts, dtype=pl.String)
        roles = bytes([ROLES[message.role] for message in messages])
        self.roles: NDArray[np.uint8] = np.frombuffer(roles, np.uint8)
        self.lengths = np.fromiter(map(len, conversations), np.int64, len(pairs))  # in messages
        self.ends = np.cumsum(self.lengths)
        self.starts = self.ends - self.lengths

    @cached_property
    def utf8(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The bytes of all texts, one after the other, and where each begins; M + N + 1 entries."""
        return as_utf8(self.texts)

    @cached_property
    def sizes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many bytes the chosen answer of each pair has, and the rejected one."""
        sizes = np.diff(self.utf8[1])
        return sizes[self.ends - 1], sizes[len(self.roles) :]

    @cached_property
    def speakers(self) -> NDArray[np.uint8]:
        """The role of each text: that of its message, and the assistant's for rejected answers.

        An assistant's text before a call of its own is BEFORE_CALL.
        """
        calls_next = np.append(self.roles[1:] == CALL, False)
        calls_next[self.ends - 1] = False
        roles = np.where((self.roles == ASSISTANT) & calls_next, BEFORE_CALL, self.roles).astype(np.uint8)
        return np.concatenate([roles, np.full(len(self.lengths), ASSISTANT, np.uint8)])

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """The pair of each text."""
        pairs = np.arange(len(self.lengths))
        return np.concatenate([np.repeat(pairs, self.lengths), pairs])

    @cached_property
    def position(self) -> NDArray[np.int64]:
        """The position of each message within its pair."""
        return np.arange(len(self.roles)) - np.repeat(self.starts, self.lengths)

    @cached_property
    def questions(self) -> NDArray[np.int64]:
        """The last user message of each pair, among all messages; the first message where no user speaks."""
        places = np.where(self.roles == USER, np.arange(len(self.roles)), 0)
        return np.maximum(np.maximum.reduceat(places, self.starts), self.starts) if len(self.starts) else places

    @cached_property
    def answers(self) -> pl.DataFrame:
        """The last user message (`question`), the chosen and the rejected answer of each pair."""
        return pl.DataFrame(
            {
                "question": self.texts.gather(self.questions),
                "chosen": self.texts.gather(self.ends - 1),
                "rejected": self.texts.tail(len(self.lengths)),
            }
        )

    def place_of(self, text: int) -> tuple[int, int]:
        """Return the pair of a text, and its position there or REJECTED."""
        pair = int(self.owner[text])
        return pair, REJECTED if text >= len(self.roles) else int(self.position[text])


def as_utf8(texts: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the bytes of N texts, one after the other, and where each begins; N + 1 entries."""
    arrow = texts.rechunk().to_arrow()
    _, offsets, data = arrow.buffers()
    return np.frombuffer(data or b"", np.uint8), np.frombuffer(offsets, np.int64)[: len(texts) + 1]
