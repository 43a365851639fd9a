"""The answers of a page, in the form that its script reads: shortened texts, and their difference."""

from typing import Any

from pipeline.models.channels import split_channels
from pipeline.report.diff_answers import diff_answers
from pipeline.report.numbers_in_words import choose_decimals, is_number, show_number
from pipeline.report.pick_changes import Picked

Row = dict[str, Any]

LONGEST = 3000  # characters of a text; a page has up to a thousand rows of five texts, and their thinking


def make_cards(picked: Picked, models: list[str]) -> list[Row]:
    """Return a card for each row, in the order best, worst, others."""
    kinds = [("better", picked.best), ("worse", picked.worst), ("other", picked.others)]
    return [make_card(row, kind, models) for kind, rows in kinds for row in rows]


def make_card(row: Row, kind: str, models: list[str]) -> Row:
    """Return a row with the difference between the first model's answer and the last one's."""
    answers = {model: cut(text or "") for model, text in row["answers"].items()}
    first, last = (answers.get(models[place], "") for place in (0, -1))
    card = {
        "id": row["id"],
        "tag": row.get("tag") or "",
        "kind": kind,
        "change": row["change"] if is_number(row.get("change")) else None,
        "shown": show_number(row.get("change"), choose_decimals([row.get("change")]), signed=True),
        "prompt": [show_turn(turn) for turn in row["messages"]],
        "thinking": {model: cut(text) for model, text in row["analysis"].items()},
        "ends": {model: finish for model, finish in row["finish"].items() if finish != "stop"},
        "diff": diff_answers(first, last),
        "between": {model: text for model, text in answers.items() if model in models[1:-1]},
        "chosen": cut(row["chosen"]),
        "rejected": cut(row["rejected"]),
        "references": {side: cut(text) for side in ("chosen", "rejected") if (text := row.get(f"{side}_analysis"))},
        "scores": show_scores(row.get("scores") or {}, models),
    }
    return card


def show_turn(turn: dict[str, str]) -> list[str]:
    """Return role and text of a turn; an earlier answer that thinks has its final as text, and then its thinking."""
    analysis, final = split_channels(turn["content"]) if turn["role"] == "assistant" else (None, turn["content"])
    return [turn["role"], cut(final or ""), *([cut(analysis)] if analysis else [])]


def cut(text: str) -> str:
    """Return a text, or its beginning and the number of missing characters."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} […+{len(text) - LONGEST:,}]"


def show_scores(scores: dict[str, Row], models: list[str]) -> list[list[str]]:
    """Return the name of each score, and the scores of the first and the last model as texts."""
    first, last = (scores.get(models[place]) or {} for place in (0, -1))
    rows = []
    for name in dict.fromkeys([*first, *last]):
        values = [side.get(name) for side in (first, last)]
        decimals = choose_decimals(values)
        rows.append([name, *(show_number(value, decimals) for value in values)])
    return rows
