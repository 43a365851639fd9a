"""Turn the pairs into tokens as training does, and check them: length, trained tokens, and prompt.

    envs/with-training python -m scripts.check_tokens results/tiny/data/train.jsonl results/tiny/data/val.jsonl \
        --settings "$(python -m tools.show_settings check_tokens)" --model results/tiny/model \
        --rejects results/tiny/data/token_rejects.jsonl --out results/tiny/dpo

Writes into the folder:
    train.jsonl     the training pairs that passed
    val.jsonl       the held-out pairs that passed
    tokens.json     counts: rows and codes of each side, the longest pair, and the trained tokens

A pair is rejected if it is too long, if no token of an answer would be trained, or if its prompt is not the one that
inference sends. A rejected pair ends the check with exit status 1, unless data.on_problem is "drop".
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.files.json_files import write_json
from pipeline.files.json_lines import iterate_json_lines, replace_files
from pipeline.models.render_chat import Encode, Messages, load_pair_encoder, load_prompt_renderer
from pipeline.preferences.chunk import Place
from pipeline.preferences.problems import PROBLEMS, Finding
from pipeline.preferences.rejects import describe_row, say_reject
from pipeline.settings.stage import stage_parser

Pair = dict[str, Any]

SIDES = {"train": "train.jsonl", "val": "val.jsonl"}
NO_LIMIT = 1 << 30  # tokens
ANSWERS = {"chosen": "$.messages[-1].content", "rejected": "$.rejected_response"}


class TokenChecker:
    """Encodes pairs as ms-swift's DPO training does, and finds their faults."""

    def __init__(
        self, prompt: Callable[[Messages], list[int]], whole: Encode, cut: Encode | None, max_length: int
    ) -> None:
        self.prompt = prompt  # renders what inference sends
        self.whole = whole  # encodes without a limit
        self.cut = cut  # encodes with truncation; None where the trainer deletes long pairs
        self.max_length = max_length
        self.longest = 0  # tokens of prompt and answer
        self.supervised: Counter[str] = Counter()  # tokens that are trained, by answer

    def check(self, pair: Pair) -> list[Finding]:
        """Return the faults of a pair, and count its tokens."""
        encoded = self.whole(pair)
        lengths = {answer: len(encoded[f"{answer}_input_ids"]) for answer in ANSWERS}
        self.longest = max(self.longest, *lengths.values())
        long = [answer for answer in ANSWERS if lengths[answer] > self.max_length]
        code = "truncated" if self.cut else "too-many-tokens"
        findings = [
            Finding(
                code, ANSWERS[answer], f"{lengths[answer]} tokens with the prompt, dpo.max_length is {self.max_length}"
            )
            for answer in long
        ]
        findings += self.check_prompt(pair, encoded)
        if long and self.cut:
            encoded = self.cut(pair)
        for answer, path in ANSWERS.items():
            supervised = sum(label >= 0 for label in encoded[f"{answer}_labels"])
            self.supervised[answer] += supervised
            if not supervised:
                findings.append(Finding("no-supervised-token", path))
        return findings

    def check_prompt(self, pair: Pair, encoded: dict[str, Any]) -> list[Finding]:
        """Return a fault for each answer whose prompt has other tokens in training than in inference."""
        prompt = self.prompt(pair["messages"])
        return [
            Finding("other-prompt", path)
            for answer, path in ANSWERS.items()
            if encoded[f"{answer}_input_ids"][: len(prompt)] != prompt
        ]


def load_checker(model: Path, settings: dict[str, Any]) -> TokenChecker:
    """Return a checker with the tokenizer of a model folder."""
    dpo, date = settings["dpo"], settings["prompt"]["date"]

    def load_encoder(max_length: int, strategy: str) -> Encode:
        return load_pair_encoder(
            model, date, max_length=max_length, truncation_strategy=strategy, loss_scale=dpo["loss_scale"]
        )

    cuts = dpo["truncation_strategy"] in ("left", "right")
    cut = load_encoder(dpo["max_length"], dpo["truncation_strategy"]) if cuts else None
    prompt = load_prompt_renderer(model, date)
    return TokenChecker(prompt, load_encoder(NO_LIMIT, "raise"), cut, dpo["max_length"])


def check_side(checker: TokenChecker, side: Path, checked: Any, rejects: Any) -> Counter[str]:
    """Copy the pairs that passed, write down the others, and return the numbers of rows, and of rows by code."""
    counts: Counter[str] = Counter(rows_in=0, rows_used=0, rows_rejected=0)
    for line, pair in enumerate(iterate_json_lines(side), start=1):
        findings = checker.check(pair)
        errors = [finding for finding in findings if PROBLEMS[finding.code].severity == "error"]
        counts.update({"rows_in": 1, "rows_rejected" if errors else "rows_used": 1})
        counts.update(dict.fromkeys((finding.code for finding in findings), 1))
        if errors:
            described = json.loads(describe_row(Place(side.as_posix(), line, None), errors))
            rejects.write(json.dumps({"id": pair["id"]} | described, ensure_ascii=False) + "\n")
        else:
            checked.write(json.dumps(pair, ensure_ascii=False) + "\n")
    return counts


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out="train.jsonl, val.jsonl and tokens.json")
    parser.add_argument("sides", type=Path, nargs=2, help="training and held-out pairs")
    parser.add_argument("--model", type=Path, required=True, help="folder with the tokenizer")
    parser.add_argument("--rejects", type=Path, required=True, help="file for the rejected pairs, with their faults")
    args = parser.parse_args(argv)

    checker = load_checker(args.model, args.settings)
    args.out.mkdir(parents=True, exist_ok=True)
    outputs = [args.out / name for name in SIDES.values()]
    with replace_files(args.rejects) as (rejects,), replace_files(*outputs) as checked:
        sides = zip(SIDES, args.sides, checked, strict=True)
        counts = {name: check_side(checker, side, out, rejects) for name, side, out in sides}
    account = {"max_length": checker.max_length, "longest": checker.longest, "supervised": dict(checker.supervised)}
    write_json(args.out / "tokens.json", account | {name: dict(found) for name, found in counts.items()})
    print(f"longest pair: {checker.longest} tokens of {checker.max_length}")
    rejected = sum(found["rows_rejected"] for found in counts.values())
    if rejected and args.settings["data"]["on_problem"] == "stop":
        first = next(iterate_json_lines(args.rejects))
        others = f" ({rejected - 1:,} more in {args.rejects})" if rejected > 1 else ""
        sys.exit(f"{say_reject(first)}{others}, or go on without such pairs: data.on_problem: drop")


if __name__ == "__main__":
    main()
