"""Write the strings of interfaces and manuals that the default run learns to translate (docs/interface-strings.md).

    python -m tools.write_interface_strings            write them
    python -m tools.write_interface_strings --check    say whether they are stale, with exit status 1

Writes data/interface/pairs.jsonl, the DPO pairs; base.jsonl, the conversations that the tiny base model is taught; and
neutral.jsonl, those that no training sees (evaluate.neutral): the same bytes each time.
"""

import json
import sys
from pathlib import Path

from pipeline.files.json_lines import replace_files
from pipeline.interface_strings.draw_strings import draw_strings
from pipeline.interface_strings.rows import to_conversations, to_neutral, to_pairs
from pipeline.settings.stage import stage_parser

FOLDER = Path(__file__).parents[1] / "data" / "interface"


def render() -> dict[str, str]:
    """Return the text of each file by its name."""
    drawn = draw_strings()
    files = {"pairs.jsonl": to_pairs(drawn), "base.jsonl": to_conversations(drawn), "neutral.jsonl": to_neutral(drawn)}
    return {name: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) for name, rows in files.items()}


def require_fresh(folder: Path, texts: dict[str, str]) -> None:
    """Stop, and name the files that are missing or hold other bytes than these."""
    stale = [
        str(folder / name)
        for name, text in texts.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode()
    ]
    if stale:
        sys.exit(f"{', '.join(stale)}: stale or missing; run: python -m tools.write_interface_strings")


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: data/interface")
    args = parser.parse_args(argv)

    texts = render()
    if args.check:
        require_fresh(args.folder, texts)
        return
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
        with replace_files(*(args.folder / name for name in texts)) as files:
            for file, text in zip(files, texts.values(), strict=True):
                file.write(text)
    except OSError as error:
        sys.exit(f"{error.filename or args.folder}: {error.strerror}; name another folder with --folder")


if __name__ == "__main__":
    main()
