"""Compare what vLLM makes of a tuned model with what the run has: prompts, answers, log-probabilities of pairs.

    python -m benchmarks.compare_vllm results/vocabulary --model results/vocabulary/merged --row "merged, MXFP4"

It takes a GPU, envs/vllm.lock's packages, and a run of a model with gpt-oss's own vocabulary and widths that vLLM's
kernels take. The prompts are those of the held-out pairs, by the chat endpoint, greedily; their token ids are as the
endpoint gives them back. Answers are compared with infer/predictions.jsonl, and the sums of log-probabilities of chosen
and rejected answers with evaluate/dpo/scores. Rows of the same name are replaced in the file of results.
On another day it runs with the variables that tests/support/another_day.py gives for it.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.vllm_server import PROMPT, ask, replace_rows, serving
from pipeline.files.json_lines import read_json_lines
from pipeline.models.render_chat import load_pair_encoder, load_renderer
from pipeline.serving.address import TUNED
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
FLAGS = ["--max-model-len", "1024", "--gpu-memory-utilization", "0.12", "--enforce-eager"]
AT_ONCE, TOKENS = 32, 64


def ask_chat(pair: dict[str, Any]) -> dict[str, Any]:
    """Return the chat endpoint's answer to a pair's prompt."""
    effort = pair.get("chat_template_kwargs", {}).get("reasoning_effort", PROMPT["reasoning_effort"])
    asked = {"model": TUNED, "messages": pair["messages"][:-1], "reasoning_effort": effort, "temperature": 0}
    return ask("/v1/chat/completions", asked | {"max_tokens": TOKENS, "return_token_ids": True})


def sum_logps(side: tuple[list[int], list[int]]) -> float:
    """Return the sum of log-probabilities of the labelled tokens of a conversation (ids, labels), under the model."""
    ids, labels = side
    asked = {"model": TUNED, "prompt": ids, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
    found = ask("/v1/completions", asked)["choices"][0]["prompt_logprobs"]
    counted = [at for at, label in enumerate(labels) if label >= 0]
    return float(sum(found[at][str(ids[at])]["logprob"] for at in counted))


def encode_sides(model: Path, pairs: list[dict[str, Any]]) -> list[tuple[list[int], list[int]]]:
    """Return the ids and labels of the chosen and the rejected side of each pair, one after the other."""
    encode = load_pair_encoder(model, PROMPT, loss_scale="last_round")
    encoded = [encode(pair) for pair in pairs]
    sides = ("chosen", "rejected")
    return [(row[f"{side}_input_ids"], row[f"{side}_labels"]) for row in encoded for side in sides]


def compare(args: argparse.Namespace) -> dict[str, Any]:
    """Ask the server that is running, and return how far its answers are the run's."""
    pairs = read_json_lines(args.run / "dpo" / "val.jsonl")
    render = load_renderer(args.model, PROMPT)
    rendered = [render(pair) for pair in pairs]
    trained = [ids[: next(at for at, label in enumerate(labels) if label >= 0)] for ids, labels in rendered]
    predictions = read_json_lines(args.run / "infer" / "predictions.jsonl")
    files = (args.run / "evaluate" / "dpo" / "scores").glob("*.jsonl")
    scores = {row["id"]: row for file in files for row in read_json_lines(file)}
    expected = [scores[pair["id"]][f"{side}_logp"] for pair in pairs for side in ("chosen", "rejected")]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(ask_chat, pairs))
        logps = list(pool.map(sum_logps, encode_sides(args.model, pairs)))
    choices = [answer["choices"][0] for answer in answers]
    apart = [abs(one - other) for one, other in zip(logps, expected, strict=True)]
    finals = [choice["message"]["content"] for choice in choices]
    return {
        "prompts": len(pairs),
        "equal_prompts": sum(a["prompt_token_ids"] == ids for a, ids in zip(answers, trained, strict=True)),
        "finals": sum(bool(final) for final in finals),
        "finals_of_the_run": sum(bool(row["final"]) for row in predictions),
        "same_finals": sum(final == row["final"] for final, row in zip(finals, predictions, strict=True)),
        "logp_apart_mean": round(sum(apart) / len(apart), 4),
        "logp_apart_most": round(max(apart), 4),
        "logp_mean": round(sum(expected) / len(expected), 2),
    }


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("run", type=Path, help="a run's folder of results")
    parser.add_argument("--model", type=Path, required=True, help="what vLLM serves")
    parser.add_argument("--adapter", type=Path, help="served on the model, which is then the untouched base")
    parser.add_argument("--row", required=True, help="its name in the results")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "vllm_answers.json")
    args = parser.parse_args(argv)
    flags = list(FLAGS)
    if args.adapter:
        flags += ["--enable-lora", "--max-lora-rank", "8", "--lora-modules", f"{TUNED}={args.adapter}"]

    with serving(args.model, flags, args.out.with_suffix(".log")):
        found = compare(args)
    row = {"row": args.row} | found | {"vllm": version("vllm"), "machine": torch.cuda.get_device_name()}
    replace_rows(args.out, [row], "row")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
