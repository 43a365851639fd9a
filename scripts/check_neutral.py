"""Check the passages of a neutral text: how likely they are is compared before and after a training.

    python -m scripts.check_neutral pipeline/evaluation/neutral_text.jsonl \
        --trained results/tiny/dpo/train.jsonl results/tiny/dpo/val.jsonl --passages passages.jsonl

Stops with one line at a row without a passage, and at a passage that a row of the training or a held-out one contains.
"""

from pathlib import Path

from pipeline.evaluation.passages import read_passages, require_unseen
from pipeline.files.json_lines import write_json_lines
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("text", type=Path, help="passages, a row each: id and text, or id and messages")
    parser.add_argument("--trained", type=Path, nargs="+", required=True, help="rows that must not contain them")
    parser.add_argument("--passages", type=Path, required=True, help="file for the passages, as conversations")
    args = parser.parse_args(argv)
    passages = read_passages(args.text)
    require_unseen(passages, args.text, args.trained)
    write_json_lines(args.passages, passages)
    print(f"{len(passages)} passages")


if __name__ == "__main__":
    main()
