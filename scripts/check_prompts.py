"""Check prompts that have no reference answer, and write them as inference reads them.

    python -m scripts.check_prompts my/questions.jsonl \
        --settings "$(python -m tools.show_settings check_prompts)" --prompts results/tiny/data/prompts/support.jsonl

A row is {"prompt": "…"} or {"messages": […]}, with `id`, `tag` and `system` where you like; in a .txt file each line is
a prompt. Keys that are known to be harmless are counted and left, as those of pairs are. The first fault ends the
check, with its file and line, and nothing is written.
"""

from pathlib import Path

from pipeline.files.json_lines import write_json_lines
from pipeline.preferences.prompts import PromptFile
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("raw", type=Path, help="the prompts: .jsonl or .txt")
    parser.add_argument("--prompts", type=Path, required=True, help="file for the prompts, a row each")
    args = parser.parse_args(argv)
    file = PromptFile(args.raw, args.settings["data"])
    prompts = list(file.read())
    args.prompts.parent.mkdir(parents=True, exist_ok=True)
    write_json_lines(args.prompts, prompts)
    print(f"{len(prompts)} prompts")
    for key, rows in sorted(file.unread.items()):
        print(f"not read: {key}, in {rows:,} rows")


if __name__ == "__main__":
    main()
