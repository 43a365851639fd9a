"""Decide which prompts count as the same."""


def fold_prompt(messages: list[dict[str, str]]) -> list[list[str]]:
    """Return the messages before the answer, without the system message, case and spacing."""
    return [[m["role"], "".join(m["content"].split()).casefold()] for m in messages[:-1] if m["role"] != "system"]
