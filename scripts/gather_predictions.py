"""Put the answers of all shards into one file, in the order of the held-out pairs.

    python -m scripts.gather_predictions --val results/tiny/data/val.jsonl \
        --predictions results/tiny/infer/predictions.jsonl --gates results/tiny/infer/gates.json \
        results/tiny/infer/shards/0.jsonl
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.gates import Gate, gate, read_gates, require_gates, write_gates

# A gpt-oss answer opens with the channel that it is written to.
CHANNEL_END = "<|message|>"


def to_prediction(pair: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return a row of predictions.jsonl (schemas/prediction.schema.json).

    An answer that never gets from its channel to its message is kept as the model wrote it.
    """
    prediction = {"id": pair["id"]} | ({"tag": pair["tag"]} if "tag" in pair else {})
    return prediction | {
        "messages": pair["messages"][:-1],
        "response": answer["response"].rpartition(CHANNEL_END)[2],
        "chosen": pair["messages"][-1]["content"],
        "rejected": pair["rejected_response"],
    }


def gather(pairs: list[dict[str, Any]], shards: list[Path]) -> list[dict[str, Any]]:
    """Return a prediction for each pair, taking the answers in turn from the shards they were dealt to."""
    answers = [read_json_lines(path) for path in shards]
    expected = [len(pairs[shard :: len(shards)]) for shard in range(len(shards))]
    for path, rows, count in zip(shards, answers, expected, strict=True):
        if len(rows) != count:
            sys.exit(f"{path}: {len(rows)} answers for {count} prompts; delete it and run again")
    dealt = (answers[i % len(shards)][i // len(shards)] for i in range(len(pairs)))
    return [to_prediction(pair, answer) for pair, answer in zip(pairs, dealt, strict=True)]


def judge_answers(pairs: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> list[Gate]:
    """Return the gates that every held-out prompt has its own answer, and that not all of them are empty."""
    own = sum(pair["id"] == row["id"] for pair, row in zip(pairs, predictions, strict=False))
    empty = sum(not row["response"].strip() for row in predictions)
    return [
        gate("answers", own == len(pairs) == len(predictions), len(predictions), len(pairs)),
        gate("empty_answers", empty < len(predictions), empty, f"below {len(predictions)}"),
    ]


def merge_gates(rows: list[Gate]) -> list[Gate]:
    """Return one gate a name of those of all shards: the first that failed, else the first."""
    found: dict[str, Gate] = {}
    for row in rows:
        if found.setdefault(row["gate"], row)["passed"] and not row["passed"]:
            found[row["gate"]] = row
    return list(found.values())


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shards", type=Path, nargs="+", help="swift's rows, shard 0 first")
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--gates", type=Path, required=True, help="what the inference proved of itself")
    args = parser.parse_args(argv)

    pairs = read_json_lines(args.val)
    predictions = gather(pairs, args.shards)
    loaded = [row for path in args.shards for row in read_gates(path.with_suffix(".gates.json"))]
    write_gates(args.gates, [*merge_gates(loaded), *judge_answers(pairs, predictions)])
    require_gates(args.gates)
    write_json_lines(args.predictions, predictions)
    print(f"{len(predictions)} answers")


if __name__ == "__main__":
    main()
