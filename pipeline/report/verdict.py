"""The verdicts of a report: what the paired comparisons of the last model with those before it carry, and no more."""

from typing import Any

from pipeline.report.figure_rows import GROUPS, compare_figure, compare_models

Row = dict[str, Any]

OF_PAIRS = ("preference_accuracy",)  # rewards have no value before the training
WORDS = {"better": "better", "worse": "worse"}  # by the meaning of the difference; all others are unclear


def find_verdicts(metrics: Row, answers_per_prompt: int) -> list[Row]:
    """Return the verdict on the last model beside each before it, the first of all first."""
    found = (find_verdict(metrics, model, answers_per_prompt) for model in metrics["models"][:-1])
    return [verdict for verdict in found if verdict]


def find_verdict(metrics: Row, first: str, answers_per_prompt: int) -> Row | None:
    """Return the figure that decides, as texts: the first of the user's own that was compared, or else of the pairs.

    None if neither was compared with the model `first`.
    """
    last = metrics["models"][-1]
    pair = f"{last}-{first}"
    better = metrics.get("better") or {}
    own = [("answers", name) for name, direction in better.items() if direction]
    for group, name in [*own, *(("pairs", name) for name in OF_PAIRS)]:
        found = compare_figure(metrics, group, name) if metrics.get(group) else None
        change = found and found["changes"].get(pair)
        if found and change:
            of_answers = "prompts" if answers_per_prompt == 1 else "answers"
            return {
                "word": WORDS.get(change["meaning"], "unclear"),
                "name": name,
                "better": better.get(name, "higher"),
                "models": [first, last],
                "sides": [found["cells"][model]["value"] for model in (first, last)],
                "change": change,
                "n": metrics["comparisons"][pair][name]["n"],
                "rows": of_answers if group == "answers" else "pairs",
                "worse": [other for other in list_worse(metrics, pair) if other != name],
            }
    return None


def list_worse(metrics: Row, pair: str) -> list[str]:
    """Return the names of all figures that got worse, beyond what chance does to one figure."""
    rows = [row for group in GROUPS for row in compare_models(metrics, group)]
    return [row["name"] for row in rows if (row["changes"].get(pair) or {}).get("meaning") == "worse"]
