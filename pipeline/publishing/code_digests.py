"""What each file of code means, in a file for DVC, which compares files by their bytes only."""

import json
from pathlib import Path

from pipeline.files.json_lines import replace_files
from pipeline.graph.code_of import files_of, meaning_of
from pipeline.settings.check import load_config
from pipeline.settings.own_figures import own_files

DIGESTS = Path("results/code.json")


def list_code() -> list[str]:
    """Return every file on which the script of a rule, a plugin, or a figure of config.yaml depends."""
    plugins = [str(path) for path in sorted(Path("plugins").rglob("*.py"))]
    plugins += own_files(load_config([])["evaluate"]["own"], ours=True)
    rules = [path.stem for path in Path("scripts").glob("[!_]*.py")]
    return sorted({file for rule in rules for file in files_of(rule, plugins)})


def write_digests() -> None:
    """Write the digest of each file under its path without the ending, and then the ending.

    DVC takes a dot in a parameter's name for the step into a section. A file that is already right stays as it is.
    """
    digests: dict[str, dict[str, str]] = {}
    for file in list_code():
        stem, _, ending = file.rpartition(".")
        digests.setdefault(stem, {})[ending] = meaning_of(file)
    text = json.dumps(digests, indent=1) + "\n"
    if DIGESTS.is_file() and DIGESTS.read_text(encoding="utf-8") == text:
        return
    DIGESTS.parent.mkdir(exist_ok=True)
    with replace_files(DIGESTS) as (out,):  # not in place: with a cache of links, the old file is DVC's own copy
        out.write(text)
