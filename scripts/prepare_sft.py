"""Write the conversations for supervised fine-tuning: prompts with chosen answers, or the conversations in sft.data.

    python -m scripts.prepare_sft results/tiny/dpo/train.jsonl results/tiny/dpo/val.jsonl \
        --settings "$(python -m tools.show_settings prepare_sft)" --out results/tiny/sft

Writes into the folder:
    train.jsonl     the conversations to learn from
    val.jsonl       the held-out prompts with their chosen answers, even if sft.data is set

A conversation of sft.data whose prompt is held out is refused. The base model writes no analyses for these: where
data.analyses asks for some, and none of the conversations thinks, a line says so.
"""

from pathlib import Path

from pipeline.files.json_lines import iterate_json_lines, write_json_lines
from pipeline.models.channels import split_channels
from pipeline.models.system_message import prompt_settings
from pipeline.preferences.conversations import prompt_key, read_conversations
from pipeline.settings.stage import stage_parser


def any_thinks(conversations: Path) -> bool:
    """Say whether the last answer of a conversation has an analysis."""
    last = (row["messages"][-1]["content"] for row in iterate_json_lines(conversations))
    return any(split_channels(text)[0] is not None for text in last)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out="train.jsonl and val.jsonl")
    parser.add_argument("pairs", type=Path, help="training pairs")
    parser.add_argument("held_out", type=Path, help="held-out pairs")
    args = parser.parse_args(argv)

    args.out.mkdir(parents=True, exist_ok=True)
    data = args.settings["sft"]["data"]
    held_out = [prompt_settings(pair) | {"messages": pair["messages"]} for pair in iterate_json_lines(args.held_out)]
    held_out_prompts = {prompt_key(row["messages"]) for row in held_out}
    chosen = (prompt_settings(pair) | {"messages": pair["messages"]} for pair in iterate_json_lines(args.pairs))
    write_json_lines(args.out / "train.jsonl", read_conversations(Path(data), held_out_prompts) if data else chosen)
    write_json_lines(args.out / "val.jsonl", held_out)
    if data and args.settings["data"]["analyses"] and not any_thinks(args.out / "train.jsonl"):
        print(
            f"sft.data: {data}: no answer thinks, and data.analyses adds analyses to pairs alone: the SFT teaches "
            "answers without thinking; write analyses into it, or set sft.data to null"
        )


if __name__ == "__main__":
    main()
