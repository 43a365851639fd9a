"""Give pairs the analysis that the base model wrote before its own answer: the same before chosen and rejected.

    python -m scripts.add_analyses results/tiny/data/analyses/base/train/shards/0.jsonl \
        --settings "$(python -m tools.show_settings add_analyses)" \
        --pairs results/tiny/data/train.jsonl --out results/tiny/data/analyses/train.jsonl

A model that is tuned on final answers alone stops thinking; with its own analyses before them it goes on. A pair keeps
the answers that it has where one of them thinks already, and where no answer of the base model has an analysis and
then a final answer. How many there are of each kind is printed.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.evaluation.shards import gather_answers
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.models.channels import COMMENTARY, split_channels
from pipeline.preferences.turns import ANALYSIS
from pipeline.settings.stage import stage_parser

GIVEN, HAD, NONE = "got the base model's analysis", "had one", "have none: it answered without one, or was cut off"
MARK = "<|"  # of harmony: an analysis with a mark in it holds a call, or is broken


def usable_analysis(answers: list[dict[str, Any]]) -> str | None:
    """Return the analysis of the first answer that has one and ended with a final answer; None if none has."""
    for answer in answers:
        analysis, final = split_channels(answer["response"])
        whole = answer["finish"] == "stop" and all(text and text.strip() for text in (analysis, final))
        if whole and analysis and MARK not in analysis and COMMENTARY not in answer["response"]:
            return analysis
    return None


def think(pair: dict[str, Any], analysis: str) -> dict[str, Any]:
    """Return a pair both of whose answers begin with an analysis."""
    *asked, answer = pair["messages"]
    texts = [ANALYSIS.format(analysis, text) for text in (answer["content"], pair["rejected_response"])]
    return pair | {"messages": [*asked, answer | {"content": texts[0]}], "rejected_response": texts[1]}


def thinks(pair: dict[str, Any]) -> bool:
    """Say whether an answer of a pair has an analysis."""
    texts = (pair["messages"][-1]["content"], pair["rejected_response"])
    return any(split_channels(text)[0] is not None for text in texts)


def add_analyses(
    pairs: list[dict[str, Any]], answers: list[list[dict[str, Any]]]
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return the pairs, and how many there are of each kind; `answers` are those to the prompt of each pair."""
    counts: Counter[str] = Counter()
    found = []
    for pair, own in zip(pairs, answers, strict=True):
        if thinks(pair):
            kind = HAD
        elif analysis := usable_analysis(own):
            kind, pair = GIVEN, think(pair, analysis)
        else:
            kind = NONE
        counts[kind] += 1
        found.append(pair)
    return found, counts


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("shards", type=Path, nargs="+", help="swift's rows, shard 0 first")
    parser.add_argument("--pairs", type=Path, required=True, help="the pairs, whose prompts were answered")
    parser.add_argument("--out", type=Path, required=True, help="file for the pairs")
    args = parser.parse_args(argv)
    pairs, each = read_json_lines(args.pairs), args.settings["infer"]["answers_per_prompt"]
    thinking, counts = add_analyses(pairs, gather_answers(args.shards, len(pairs), each))
    write_json_lines(args.out, thinking)
    for kind, count in counts.items():
        print(f"{count:,} pairs {kind}")
    if not counts[GIVEN] + counts[HAD]:
        print("no pair thinks: raise prompt.reasoning_effort or infer.max_new_tokens, or set data.analyses to null")


if __name__ == "__main__":
    main()
