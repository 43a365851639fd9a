"""Put the analysis of the base model before both answers of a pair, and count what was done with each pair."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pipeline.files.json_files import read_json
from pipeline.models.channels import COMMENTARY, split_channels
from pipeline.preferences.turns import ANALYSIS

Pair = dict[str, Any]
Answer = dict[str, Any]
Count = Callable[[Pair], int]

ADDED, HAD, TOO_LONG = "added", "thought_already", "too_long"
# Why a pair got no analysis, as the account calls it and in words.
NOT_ADDED = {
    TOO_LONG: "would be longer than dpo.max_length with it",
    "cut": "the base model's answer was cut off: raise infer.max_new_tokens",
    "no_final": "the base model wrote no final answer",
    "no_analysis": "the base model answered without an analysis: raise prompt.reasoning_effort",
    "call": "the base model called a tool, or said something before its answer",
}
MARK = "<|"  # of harmony: an analysis with a mark in it holds a call, or is broken


def find_fault(answer: Answer) -> str | None:
    """Return why the analysis of an answer cannot be used; None if it can."""
    analysis, final = ((text or "").strip() for text in split_channels(answer["response"]))
    if answer["finish"] == "length":
        return "cut"
    if MARK in analysis or COMMENTARY in answer["response"]:
        return "call"
    if answer["finish"] != "stop" or not final:
        return "no_final"
    return None if analysis else "no_analysis"


def think(pair: Pair, answer: Answer) -> Pair:
    """Return a pair both of whose answers begin with the analysis of an answer."""
    *asked, own = pair["messages"]
    analysis, _ = split_channels(answer["response"])
    texts = [ANALYSIS.format(analysis, text) for text in (own["content"], pair["rejected_response"])]
    return pair | {"messages": [*asked, own | {"content": texts[0]}], "rejected_response": texts[1]}


def thinks(pair: Pair) -> bool:
    """Say whether an answer of a pair has an analysis."""
    texts = (pair["messages"][-1]["content"], pair["rejected_response"])
    return any(split_channels(text)[0] is not None for text in texts)


def add_analysis(pair: Pair, answers: list[Answer], count: Count, max_length: int) -> tuple[Pair, str, int]:
    """Return a pair, what was done with it, and its tokens if it would be too long.

    The first of the base model's answers that can be used is, and that makes no pair too long.
    """
    if thinks(pair):
        return pair, HAD, 0
    faults, tokens = [], 0
    for answer in answers:
        fault = find_fault(answer)
        if not fault:
            whole = think(pair, answer)
            if (tokens := count(whole)) <= max_length:
                return whole, ADDED, 0
        faults.append(fault or TOO_LONG)
    return pair, TOO_LONG if TOO_LONG in faults else faults[0], tokens


def add_analyses(
    pairs: list[Pair], answers: list[list[Answer]], count: Count, max_length: int
) -> tuple[list[Pair], dict[str, Any]]:
    """Return the pairs, and the account of them; `answers` are those to the prompt of each pair."""
    counts: Counter[str] = Counter()
    found, too_long = [], []
    for pair, own in zip(pairs, answers, strict=True):
        done, kind, tokens = add_analysis(pair, own, count, max_length)
        counts[kind] += 1
        found.append(done)
        if kind == TOO_LONG:
            too_long.append({"id": pair["id"], "tokens_with": tokens, "tokens_without": count(pair)})
    return found, {
        "asked": len(pairs),
        **{name: counts[name] for name in (ADDED, HAD)},
        "not_added": {name: counts[name] for name in NOT_ADDED},
        "max_length": max_length,
        "too_long": too_long,
    }


def sum_accounts(paths: Iterable[Path]) -> dict[str, Any]:
    """Return the counts of several accounts, one for each side of the split, in one."""
    accounts = [read_json(path) for path in paths]
    sums: dict[str, Any] = {name: sum(account[name] for account in accounts) for name in ("asked", ADDED, HAD)}
    return sums | {"not_added": {name: sum(account["not_added"][name] for account in accounts) for name in NOT_ADDED}}
