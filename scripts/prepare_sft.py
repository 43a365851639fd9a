"""Write the conversations that supervised fine-tuning learns from: prompts with their chosen answers, or a file's own.

    python scripts/prepare_sft.py results/tiny/dpo/train.jsonl results/tiny/dpo/val.jsonl \
        --train results/tiny/sft/train.jsonl --val results/tiny/sft/val.jsonl [--data my_conversations.jsonl]

Held-out answers are those of the pairs, either way, and a conversation whose prompt is held out is refused.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from json_lines import iterate_json_lines, write_json_lines
from split_preferences import fold_prompt

Messages = list[dict[str, str]]
ROLES = ("system", "user", "assistant")


def prompt_key(messages: Messages) -> str:
    """Return what is asked as text, the same where the split takes two prompts for one."""
    return json.dumps(fold_prompt(messages), ensure_ascii=False)


def find_fault(row: Any, held_out: set[str]) -> str | None:
    """Return what keeps a row from being learned, in words with the mend; None, if nothing does."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        return 'no list "messages"; write {"messages": [{"role": "user", "content": …}, …]}'
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            return f"messages[{number}] has no role of {', '.join(ROLES)}; give it one"
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            return f"messages[{number}] has no text in content; fill it, or take the row out"
    if messages[-1]["role"] != "assistant":
        return "the last message is not the assistant's; add the answer to learn"
    if prompt_key(messages) in held_out:
        return "this prompt is held out for validation; take the row out"
    return None


def read_conversations(path: Path, held_out: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of conversations; the first that cannot be learned ends it with one line."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                sys.exit(f"{path}:{number}: {error}; write one JSON object on each line")
            if fault := find_fault(row, held_out):
                sys.exit(f"{path}:{number}: {fault}")
            yield {"messages": row["messages"]}


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
