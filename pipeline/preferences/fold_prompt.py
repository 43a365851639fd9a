"""Which prompts count as the same."""


def fold_prompt(messages: list[dict[str, str]]) -> list[list[str]]:
    """Return what is asked: the messages before the answer, without system, case and spacing."""
    return [[m["role"], "".join(m["content"].split()).casefold()] for m in messages[:-1] if m["role"] != "system"]
