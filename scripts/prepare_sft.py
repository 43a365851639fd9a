"""Write the conversations that supervised fine-tuning learns from: prompts with their chosen answers, or a file's own.

    python -m scripts.prepare_sft results/tiny/dpo/train.jsonl results/tiny/dpo/val.jsonl \
        --train results/tiny/sft/train.jsonl --val results/tiny/sft/val.jsonl [--data my_conversations.jsonl]

Held-out answers are those of the pairs, either way, and a conversation whose prompt is held out is refused.
"""

import argparse
from pathlib import Path

from pipeline.files.json_lines import iterate_json_lines, write_json_lines
from pipeline.preferences.conversations import prompt_key, read_conversations


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="training pairs")
    parser.add_argument("held_out", type=Path, help="held-out pairs")
    parser.add_argument("--data", type=Path, help="conversations to learn from instead")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    args = parser.parse_args(argv)

    held_out = [{"messages": pair["messages"]} for pair in iterate_json_lines(args.held_out)]
    own = {prompt_key(row["messages"]) for row in held_out}
    chosen = ({"messages": pair["messages"]} for pair in iterate_json_lines(args.pairs))
    write_json_lines(args.train, read_conversations(args.data, own) if args.data else chosen)
    write_json_lines(args.val, held_out)


if __name__ == "__main__":
    main()
