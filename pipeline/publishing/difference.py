"""What a comparison of two files says."""

import math
from typing import NamedTuple


class Difference(NamedTuple):
    """By how much two files differ: as a number, the most that is allowed, and in words.

    Any amount is allowed, and is shown only, where the most is infinite. The words have to be true.
    """

    amount: float
    allowed: float
    words: str

    @property
    def is_allowed(self) -> bool:
        """Say whether the files are the same within the tolerance."""
        return self.amount <= self.allowed


SAME_VALUES = Difference(math.inf, 0.0, "has the same values, written in other bytes")
