"""Write a page that is generated, or say whether it is stale."""

import argparse
import difflib
import sys
from pathlib import Path


def show_difference(page: Path, text: str) -> str:
    """Return the changes of the page as a diff; empty if it is up to date."""
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    return "".join(difflib.unified_diff(old.splitlines(True), text.splitlines(True), str(page), "source"))


def write_or_check(page: Path, text: str, description: str | None, argv: list[str] | None = None) -> None:
    """Write the page; with --check on the command line, change nothing, and stop with a diff if it is stale."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    if not parser.parse_args(argv).check:
        page.write_text(text, encoding="utf-8")
    elif difference := show_difference(page, text):
        sys.exit(f"{difference}{page.name}: stale; run: make docs")
