"""Put the answers of all shards into one file, in the order of the held-out pairs.

    python -m scripts.gather_predictions results/tiny/infer/shards/0.jsonl \
        --settings "$(python -m tools.show_settings gather_predictions)" \
        --val results/tiny/dpo/val.jsonl --out results/tiny/infer

It writes predictions.jsonl, a row an answer, and gates.json: the gates of the inference.
"""

from pathlib import Path
from typing import Any

from pipeline.evaluation.shards import NOTED, gates_beside, gather_answers
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.gates import Gate, gate, read_gates, require_gates, write_gates
from pipeline.models.channels import split_channels
from pipeline.models.system_message import prompt_settings
from pipeline.settings.stage import stage_parser

# Inside --out.
PREDICTIONS = "predictions.jsonl"
GATES = "gates.json"


def to_prediction(pair: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return a row of predictions.jsonl (schemas/prediction.schema.json).

    A prompt of one's own has no answers to compare with.
    """
    named = {key: pair[key] for key in ("id", "tag") if key in pair}
    beside = prompt_settings(pair)
    analysis, final = split_channels(answer["response"])
    said = {"analysis": analysis, "final": final or ""} | {key: answer[key] for key in NOTED}
    if "rejected_response" not in pair:
        return named | {"messages": pair["messages"]} | beside | said
    sides = {"chosen": pair["messages"][-1]["content"], "rejected": pair["rejected_response"]}
    return named | {"messages": pair["messages"][:-1]} | beside | said | split_sides(sides)


def split_sides(sides: dict[str, str]) -> dict[str, str]:
    """Return the final of each side of a pair, and its analysis where it has one."""
    found: dict[str, str] = {}
    for side, text in sides.items():
        analysis, final = split_channels(text)
        found |= {side: final or ""} | ({f"{side}_analysis": analysis} if analysis is not None else {})
    return found


def gather(pairs: list[dict[str, Any]], shards: list[Path], each: int) -> list[dict[str, Any]]:
    """Return the predictions for each pair, from the answers of all shards, numbered where there are several."""
    answers = gather_answers(shards, len(pairs), each)
    return [
        to_prediction(pair, answer) | ({"answer": number} if each > 1 else {})
        for pair, rows in zip(pairs, answers, strict=True)
        for number, answer in enumerate(rows, 1)
    ]


def gates_of(pairs: list[dict[str, Any]], predictions: list[dict[str, Any]], each: int) -> list[Gate]:
    """Return two gates: every held-out prompt has its own answers, and the model wrote something in one of them.

    Whether answers have a final is judged later, beside the model before (answer_ends.py).
    """
    asked = [pair["id"] for pair in pairs for _ in range(each)]
    empty = sum(not f"{row['analysis'] or ''}{row['final']}".strip() for row in predictions)
    return [
        gate("answers", asked == [row["id"] for row in predictions], len(predictions), len(asked)),
        gate("empty_answers", empty < len(predictions), empty, f"below {len(predictions)}"),
    ]


def merge_gates(rows: list[Gate]) -> list[Gate]:
    """Return one gate for each name: the first that failed in a shard, else that of the first shard."""
    found: dict[str, Gate] = {}
    for row in rows:
        if found.setdefault(row["gate"], row)["passed"] and not row["passed"]:
            found[row["gate"]] = row
    return list(found.values())


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out="the predictions and their gates")
    parser.add_argument("shards", type=Path, nargs="+", help="swift's rows, shard 0 first; gates stand beside them")
    parser.add_argument(
        "--val", type=Path, required=True, help="the held-out pairs, whose prompts were answered, or prompts"
    )
    args = parser.parse_args(argv)

    pairs, each = read_json_lines(args.val), args.settings["infer"]["answers_per_prompt"]
    predictions = gather(pairs, args.shards, each)
    loaded = [row for path in args.shards for row in read_gates(gates_beside(path))]
    write_gates(args.out / GATES, [*merge_gates(loaded), *gates_of(pairs, predictions, each)])
    require_gates(args.out / GATES)
    write_json_lines(args.out / PREDICTIONS, predictions)
    print(f"{len(predictions)} answers")


if __name__ == "__main__":
    main()
