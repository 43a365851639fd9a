"""Turn the pairs into tokens as training does, and check them: length, trained tokens, and prompt.

    envs/with-training python -m scripts.check_tokens results/tiny/data/train.jsonl results/tiny/data/val.jsonl \
        --converted results/tiny/data/pairs.jsonl results/tiny/data/places.jsonl \
        --settings "$(python -m tools.show_settings check_tokens)" --model results/tiny/model \
        --rejects results/tiny/data/token_rejects.jsonl --out results/tiny/dpo

Writes into the folder:
    train.jsonl     the training pairs that passed
    val.jsonl       the held-out pairs that passed
    tokens.json     counts: rows and codes of each side, the longest pair, and the trained tokens

A pair is rejected if it is too long, if no token of an answer would be trained, or if its prompt is not the one that
inference sends. It is named by its file and line in data.raw, or in the given files without --converted. A rejected
pair ends the check with exit status 1, unless data.on_problem is "drop".
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.files.json_files import write_json
from pipeline.files.json_lines import iterate_json_lines, replace_files
from pipeline.models.render_chat import Encode, Row, load_pair_encoder, load_prompt_renderer
from pipeline.preferences.chunk import Place
from pipeline.preferences.places import iterate_places
from pipeline.preferences.problems import PROBLEMS, Finding
from pipeline.preferences.rejects import describe_row, say_reject
from pipeline.settings.stage import stage_parser

Pair = dict[str, Any]

SIDES = {"train": "train.jsonl", "val": "val.jsonl"}
NO_LIMIT = 1 << 30  # tokens
ANSWERS = ("chosen", "rejected")


class TokenChecker:
    """Encodes pairs as ms-swift's DPO training does, and finds their faults."""

    def __init__(self, prompt: Callable[[Row], list[int]], whole: Encode, cut: Encode | None, max_length: int) -> None:
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
        findings = [self.say_length(answer, lengths[answer]) for answer in long]
        findings += self.check_prompt(pair, encoded)
        if long and self.cut:
            encoded = self.cut(pair)
        for answer in ANSWERS:
            supervised = sum(label >= 0 for label in encoded[f"{answer}_labels"])
            self.supervised[answer] += supervised
            if not supervised:
                findings.append(Finding("no-supervised-token", detail=f"no token of the {answer} answer is trained"))
        return findings

    def say_length(self, answer: str, tokens: int) -> Finding:
        """Return the fault of an answer that is too long."""
        code = "truncated" if self.cut else "too-many-tokens"
        said = f"{tokens} tokens of prompt and {answer} answer, dpo.max_length is {self.max_length}"
        return Finding(code, detail=said)

    def check_prompt(self, pair: Pair, encoded: dict[str, Any]) -> list[Finding]:
        """Return a fault for each answer whose prompt has other tokens in training than in inference."""
        prompt = self.prompt(pair)
        said = "the prompt of the {} answer has other tokens in training than in inference"
        return [
            Finding("other-prompt", detail=said.format(answer))
            for answer in ANSWERS
            if encoded[f"{answer}_input_ids"][: len(prompt)] != prompt
        ]


def load_checker(model: Path, settings: dict[str, Any]) -> TokenChecker:
    """Return a checker with the tokenizer of a model folder."""
    dpo, prompt = settings["dpo"], settings["prompt"]

    def load_encoder(max_length: int, strategy: str) -> Encode:
        return load_pair_encoder(
            model, prompt, max_length=max_length, truncation_strategy=strategy, loss_scale=dpo["loss_scale"]
        )

    cuts = dpo["truncation_strategy"] in ("left", "right")
    cut = load_encoder(dpo["max_length"], dpo["truncation_strategy"]) if cuts else None
    return TokenChecker(load_prompt_renderer(model, prompt), load_encoder(NO_LIMIT, "raise"), cut, dpo["max_length"])


def place_pairs(side: Path, converted: list[Path] | None) -> Iterator[tuple[Pair, Place]]:
    """Yield the pairs of a side, each with its place in the raw files; in the side itself if that is not known."""
    places = iterate_places(*converted) if converted else None
    for line, pair in enumerate(iterate_json_lines(side), start=1):
        place = Place(side.as_posix(), line, None)
        if places and converted:
            found = next((place for name, place in places if name == pair["id"]), None)
            place = found or sys.exit(f"{place}: {pair['id']} is not in {converted[0]}; split that file again")
        yield pair, place


class Account:
    """The counts of a side: rows, and rows by code with the first place of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(rows_in=0, rows_used=0, rows_rejected=0)
        self.first: dict[str, Place] = {}

    def add(self, place: Place, findings: list[Finding], is_rejected: bool) -> None:
        """Count a pair."""
        self.counts.update({"rows_in": 1, "rows_rejected" if is_rejected else "rows_used": 1})
        for code in dict.fromkeys(finding.code for finding in findings):
            self.counts[code] += 1
            self.first.setdefault(code, place)

    def print(self, side: str) -> None:
        """Print the counts, with a line for each code."""
        print(f"{side}: {self.counts['rows_in']:,} pairs in, {self.counts['rows_used']:,} go on", end=", ")
        print(f"{self.counts['rows_rejected']:,} LEFT OUT" if self.counts["rows_rejected"] else "none is left out")
        for code, place in self.first.items():
            print(f"{code:<22} {PROBLEMS[code].severity:<8} {self.counts[code]:>9,}  first {place}")


def check_side(checker: TokenChecker, pairs: Iterator[tuple[Pair, Place]], checked: Any, rejects: Any) -> Account:
    """Copy the pairs that passed, write down the others, and return the account."""
    account = Account()
    for pair, place in pairs:
        findings = checker.check(pair)
        errors = [finding for finding in findings if PROBLEMS[finding.code].severity == "error"]
        account.add(place, findings, bool(errors))
        if errors:
            described = json.loads(describe_row(place, errors))
            rejects.write(json.dumps({"id": pair["id"]} | described, ensure_ascii=False) + "\n")
        else:
            checked.write(json.dumps(pair, ensure_ascii=False) + "\n")
    return account


def end_message(rejects: Path, accounts: dict[str, Account], stop: bool) -> str | None:
    """Return in one line why the run cannot go on; None if it can."""
    rejected = sum(account.counts["rows_rejected"] for account in accounts.values())
    empty = [SIDES[name] for name, account in accounts.items() if not account.counts["rows_used"]]
    if not rejected or not (stop or empty):
        return None
    first = next(iterate_json_lines(rejects))
    others = f" ({rejected - 1:,} more in {rejects})" if rejected > 1 else ""
    hint = f"; no pair is left of {empty[0]}" if empty else ", or go on without such pairs: data.on_problem: drop"
    return f"{say_reject(first)}{others}{hint}"


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out="train.jsonl, val.jsonl and tokens.json")
    parser.add_argument("sides", type=Path, nargs=2, help="training and held-out pairs")
    parser.add_argument("--model", type=Path, required=True, help="folder with the tokenizer")
    parser.add_argument(
        "--converted",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="pairs.jsonl and places.jsonl of the conversion, by which a pair's place in the raw files is found; after "
        "them those of data.val, if that was converted by itself",
    )
    parser.add_argument("--rejects", type=Path, required=True, help="file for the rejected pairs, with their faults")
    args = parser.parse_args(argv)

    checker = load_checker(args.model, args.settings)
    args.out.mkdir(parents=True, exist_ok=True)
    outputs = [args.out / name for name in SIDES.values()]
    with replace_files(args.rejects) as (rejects,), replace_files(*outputs) as checked:
        converted = [args.converted[:2], args.converted[-2:]] if args.converted else [None, None]
        sides = zip(SIDES, args.sides, converted, checked, strict=True)
        accounts = {
            name: check_side(checker, place_pairs(side, files), out, rejects) for name, side, files, out in sides
        }
    said = {"max_length": checker.max_length, "longest": checker.longest, "supervised": dict(checker.supervised)}
    write_json(args.out / "tokens.json", said | {name: dict(account.counts) for name, account in accounts.items()})
    print(f"longest pair: {checker.longest} tokens of {checker.max_length}")
    for name, account in accounts.items():
        account.print(name)
    if message := end_message(args.rejects, accounts, args.settings["data"]["on_problem"] == "stop"):
        sys.exit(message)


if __name__ == "__main__":
    main()
