"""What a text among the settings may be: `format` in schemas/config.schema.yaml.

Settings become words of commands, paths of Snakemake's graph and lines of logs. A text that could not arrive
there as it was written is refused here.
"""

import datetime
import re
import unicodedata
from collections.abc import Callable

LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, of Linux
NAMED = {"\n": "a line break", "\t": "a tab", "\0": "a NUL"}


def find_path_fault(text: str) -> str | None:
    """Return the fault of a path, with the fix; None if it has no fault."""
    if text.startswith("-"):
        return f"begins with -, as an option does; write ./{text}"
    if brace := next((sign for sign in "{}" if sign in text), None):
        return f"has {brace} in it, which Snakemake takes for a wildcard; give the file another name"
    size = len(text.encode("utf-8", "surrogatepass"))
    longest = max(len(part.encode("utf-8", "surrogatepass")) for part in text.split("/"))
    if size > LONGEST_PATH or longest > LONGEST_NAME:
        return f"is too long for a path; a name has {LONGEST_NAME} bytes at most, a path {LONGEST_PATH}"
    return find_line_fault(text)


def find_line_fault(text: str) -> str | None:
    """Return the reason why a text does not fit on a line, with the fix; None if it fits."""
    sign = next((sign for sign in text if unicodedata.category(sign) in ("Cc", "Zl", "Zp")), None)
    if sign is None:
        return find_text_fault(text)
    return f"has {NAMED.get(sign, f'the control character U+{ord(sign):04X}')} in it; take it out"


def find_text_fault(text: str) -> str | None:
    """Return the reason why no command can be given a text, with the fix; None if one can."""
    if "\0" in text:
        return "has a NUL in it, which no command takes; take it out"
    if half := re.search("[\ud800-\udfff]", text):
        return f"has U+{ord(half[0]):04X} in it, half of a character; write the whole one"
    return None


def find_date_fault(text: str) -> str | None:
    """Return the fault of a date, with the fix; None for a day of the calendar, and for a text of another form."""
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        datetime.date.fromisoformat(text)
    except ValueError as error:
        return f"is not a day of the calendar ({error}); write one that is"
    return None


FORMATS: dict[str, Callable[[str], str | None]] = {
    "path": find_path_fault,
    "line": find_line_fault,
    "text": find_text_fault,
    "date": find_date_fault,
}
