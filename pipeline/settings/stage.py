"""The options that the scripts of all rules share."""

import argparse
import json
from pathlib import Path


def stage_parser(doc: str | None, *, settings: bool = True, out: str | None = None) -> argparse.ArgumentParser:
    """Return a parser that says what the script does, in the first line of its docstring.

    With `settings`, the script is given its part of the settings, which argparse reads into nested dictionaries under
    the names of config.yaml. `out` says what goes into the folder --out.
    """
    assert doc
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    if settings:
        say = 'JSON: the part of the settings that the rule reads; by hand: "$(python -m tools.show_settings RULE)"'
        parser.add_argument("--settings", type=json.loads, required=True, help=say)
    if out:
        parser.add_argument("--out", type=Path, required=True, help=f"folder for {out}")
    return parser
