"""Let torch's schedulers of the learning rate run under ZeRO as they did in the tutorial's day.

DeepSpeed drops a group of parameters that is empty, and torch 2.13 then finds one rate too many; torch of that
day took no offence. The groups that are left get the same rates.
"""

import builtins
from typing import Any

from torch.optim import lr_scheduler


def lenient_zip(*iterables: Any, strict: bool = False) -> Any:
    """Zip as far as the shortest goes."""
    return builtins.zip(*iterables)  # noqa: B905 (it is the point)


lr_scheduler.zip = lenient_zip
