"""The system message that a request without one is given."""

from typing import Any


def find_system(conversations: list[list[dict[str, Any]]]) -> str | None:
    """Return the system message that all conversations have; None where they differ, or have none."""
    systems = {turns[0]["content"] if turns[0]["role"] == "system" else None for turns in conversations}
    return systems.pop() if len(systems) == 1 else None
