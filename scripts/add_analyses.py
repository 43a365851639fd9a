"""Give pairs the analysis that the base model wrote before its own answer: the same before chosen and rejected.

    envs/with-training python -m scripts.add_analyses results/tiny/data/analyses/base/train/shards/0.jsonl \
        --settings "$(python -m tools.show_settings add_analyses)" --model results/tiny/model \
        --pairs results/tiny/data/train.jsonl --out results/tiny/data/analyses/train.jsonl \
        --account results/tiny/data/analyses/train.json

A model that is tuned on final answers alone stops thinking; with its own analyses before them it goes on. A pair keeps
the answers that it has where one of them thinks already, where no answer of the base model has an analysis and then a
final answer, and where the pair would be longer than dpo.max_length with it. The account counts all of these, and names
the pairs that would be too long. No pair is left out here.
"""

from pathlib import Path
from typing import Any

from pipeline.evaluation.shards import gather_answers
from pipeline.files.json_files import write_json
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.models.render_chat import load_pair_encoder
from pipeline.preferences.analyses import ADDED, HAD, NOT_ADDED, Count, Pair, add_analyses
from pipeline.settings.stage import stage_parser

NO_LIMIT = 1 << 30  # tokens


def load_counter(model: Path, settings: dict[str, Any]) -> Count:
    """Return a function from a pair to the tokens of its prompt and its longer answer, as training counts them."""
    encode = load_pair_encoder(
        model,
        settings["prompt"],
        max_length=NO_LIMIT,
        truncation_strategy="raise",
        loss_scale=settings["dpo"]["loss_scale"],
    )

    def count(pair: Pair) -> int:
        encoded = encode(pair)
        return max(len(encoded[f"{answer}_input_ids"]) for answer in ("chosen", "rejected"))

    return count


def print_account(account: dict[str, Any]) -> None:
    """Print the counts, with a reason for the pairs that got no analysis."""
    print(f"{account['asked']:,} pairs: {account[ADDED]:,} got the base model's analysis, {account[HAD]:,} had one")
    for name, why in NOT_ADDED.items():
        if count := account["not_added"][name]:
            print(f"{count:,} without: {why}")
    for pair in account["too_long"]:
        print(f"{pair['id']}: {pair['tokens_with']} tokens with an analysis, {pair['tokens_without']} without")
    if not account[ADDED] + account[HAD]:
        print("no pair thinks: change what the lines above say, or set data.analyses to null")


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("shards", type=Path, nargs="+", help="swift's rows, shard 0 first")
    parser.add_argument("--model", type=Path, required=True, help="folder with the tokenizer")
    parser.add_argument("--pairs", type=Path, required=True, help="the pairs, whose prompts were answered")
    parser.add_argument("--out", type=Path, required=True, help="file for the pairs")
    parser.add_argument("--account", type=Path, required=True, help="file for the counts, and the pairs too long")
    args = parser.parse_args(argv)
    settings = args.settings
    pairs = read_json_lines(args.pairs)
    answers = gather_answers(args.shards, len(pairs), settings["infer"]["answers_per_prompt"])
    count = load_counter(args.model, settings)
    thinking, account = add_analyses(pairs, answers, count, settings["dpo"]["max_length"])
    write_json_lines(args.out, thinking)
    write_json(args.account, account)
    print_account(account)


if __name__ == "__main__":
    main()
