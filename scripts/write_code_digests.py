"""Write the digest of what each file of code means, for DVC, which compares files by their bytes only.

    python scripts/write_code_digests.py

dvc.yaml runs it as a stage of its own, the only one that an edited comment runs again. A digest stands under its path
without the ending and then the ending, because DVC takes a point for the border between two keys.
"""

import json
from pathlib import Path

from code_of import files_of, meaning_of

DIGESTS = Path("results/code.json")


def list_code() -> list[str]:
    """Return every file on which the script of a rule, or a plugin, depends."""
    plugins = [str(path) for path in sorted(Path("plugins").rglob("*.py"))]
    return sorted({file for rule in list_rules() for file in files_of(rule, plugins)})


def list_rules() -> list[str]:
    """Return the rules that have a script."""
    return sorted(path.stem for path in Path("scripts").glob("*.py"))


def main() -> None:
    digests: dict[str, dict[str, str]] = {}
    for file in list_code():
        stem, _, ending = file.rpartition(".")
        digests.setdefault(stem, {})[ending] = meaning_of(file)
    DIGESTS.parent.mkdir(exist_ok=True)
    DIGESTS.write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
