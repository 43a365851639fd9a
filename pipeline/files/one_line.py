"""Messages that quote what a file says: on one line that every terminal can print."""

LONGEST = 600  # characters


def one_line(message: str) -> str:
    """Return a message with escapes for what cannot be printed, and the middle left out of a long one."""
    text = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message)
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"
