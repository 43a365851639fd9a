"""Settings are handed to scripts as a word of a command, which Linux limits."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

LARGEST = 100_000  # bytes; a command that a shell is given has 131,072 at most, and holds file names, too


def find_size_problems(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line that names the largest setting if all of them are too large for a command."""
    sizes = {
        f"{section}.{name}" if isinstance(values, dict) else section: size_of(value)
        for section, values in config.items()
        for name, value in (values.items() if isinstance(values, dict) else [(section, values)])
    }
    if (size := size_of(config)) > LARGEST:
        largest = max(sizes, key=lambda name: sizes[name])
        yield (
            f"{largest}: has {sizes[largest]:,} bytes, and all settings {size:,}, which a command has no room for; "
            f"{LARGEST:,} fit: shorten it"
        )


def size_of(value: Any) -> int:
    """Return the bytes of a value in a command."""
    return len(shlex.quote(json.dumps(value, ensure_ascii=False)).encode())
