"""Write a digest of each code file's meaning for DVC, which itself compares only bytes.

    python -m tools.write_code_digests

dvc.yaml runs it as a stage of its own, the only one that an edited comment runs again. A digest stands under its path
without the ending and then the ending, because DVC takes a point for the border between two keys.
"""

import json

from pipeline.graph.code_of import meaning_of
from pipeline.publishing.code_digests import DIGESTS, list_code


def main() -> None:
    digests: dict[str, dict[str, str]] = {}
    for file in list_code():
        stem, _, ending = file.rpartition(".")
        digests.setdefault(stem, {})[ending] = meaning_of(file)
    DIGESTS.parent.mkdir(exist_ok=True)
    DIGESTS.write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
