"""Check preference pairs by hand, as a run does before it trains: each row that cannot be used is named, with why.

    python -m tools.check_pairs my_pairs.jsonl --out checked
    python -m tools.check_pairs my_pairs.jsonl experiments/mine.yaml --out checked

The settings of `data:` hold, data.raw aside; without an overlay, that of languages is null.
scripts/convert_preferences.py says what is written into the folder.
"""

import json
import os
import sys
from pathlib import Path

from pipeline.settings.check import load_checked
from pipeline.settings.reads import part_for
from pipeline.settings.stage import stage_parser

STAGE = "convert_preferences"
UNNAMED = (
    "data.languages: null, since no overlay names any; of translations, numbers, placeholders and tags are not compared"
)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("raw", help="a file, a folder, or a glob in quotes")
    parser.add_argument("overlays", type=Path, nargs="*", help="merged over config.yaml, in order")
    parser.add_argument(
        "--out", required=True, help="folder for pairs.jsonl, places.jsonl, rejects.jsonl and quality.json"
    )
    args = parser.parse_args(argv)
    config = load_checked(args.overlays)
    if not args.overlays:  # the languages of config.yaml are those of its own pairs
        config["data"]["languages"] = None
        print(UNNAMED, flush=True)
    settings = json.dumps(part_for(STAGE, config), ensure_ascii=False)
    command = [sys.executable, "-m", f"scripts.{STAGE}", args.raw, "--settings", settings, "--out", args.out]
    os.execv(sys.executable, command)  # its exit status and Ctrl-C are then those of this command


if __name__ == "__main__":
    main()
