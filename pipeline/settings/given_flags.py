"""Read flags of swift as they are written in a command."""


def flag_value(flags: list[str], name: str) -> str | None:
    """Return the value that follows a flag, or None without it."""
    return flags[flags.index(f"--{name}") + 1] if f"--{name}" in flags else None


def flag_values(flags: list[str], name: str) -> list[str]:
    """Return the values that follow a flag, which may have several."""
    if f"--{name}" not in flags:
        return []
    rest = flags[flags.index(f"--{name}") + 1 :]
    return rest[: next((i for i, word in enumerate(rest) if word.startswith("--")), len(rest))]


def rlhf_type(flags: list[str]) -> str:
    """Return the kind of preference training that the flags ask for; sft if they name none."""
    return flag_value(flags, "rlhf_type") or "sft"
