"""Write settings as flags of `swift`, under the names that they have in config.yaml."""

import shlex
from typing import Any


def as_text(value: Any) -> str:
    """Return a value as ms-swift's command line reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def swift_flags(settings: dict[str, Any]) -> str:
    """Return the settings as one line of flags, quoted for a shell; null leaves a flag out."""
    words: list[str] = []
    for name, value in settings.items():
        if value is not None:
            values = value if isinstance(value, list) else [value]
            words += [f"--{name}", *map(as_text, values)]
    return shlex.join(words)
