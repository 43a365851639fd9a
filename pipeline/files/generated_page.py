"""Write a page that is generated, in whole or in parts, or say whether it is stale."""

import argparse
import difflib
import re
import sys
from collections.abc import Mapping
from pathlib import Path


def show_difference(page: Path, text: str) -> str:
    """Return the changes of the page as a diff; empty if it is up to date."""
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    return "".join(difflib.unified_diff(old.splitlines(True), text.splitlines(True), str(page), "source"))


def fill_parts(page: Path, parts: Mapping[str, list[str]]) -> str:
    """Return the page with these lines between `<!-- begin NAME -->` and `<!-- end NAME -->`; the rest stays."""
    text = page.read_text(encoding="utf-8")
    for name, lines in parts.items():
        part = re.search(rf"(?<=<!-- begin {name} -->\n\n).*?(?=\n\n<!-- end {name} -->)", text, re.DOTALL)
        if not part:
            sys.exit(f"{page}: has no part between <!-- begin {name} --> and <!-- end {name} -->")
        text = text[: part.start()] + "\n".join(lines) + text[part.end() :]
    return text


def write_or_check(page: Path, text: str, description: str | None, argv: list[str] | None = None) -> None:
    """Write the page; with --check on the command line, change nothing, and stop with a diff if it is stale."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    if not parser.parse_args(argv).check:
        page.write_text(text, encoding="utf-8")
    elif difference := show_difference(page, text):
        sys.exit(f"{difference}{page.name}: stale; run: make docs")
