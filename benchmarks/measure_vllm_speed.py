"""Measure how many tokens a second vLLM answers with, asked by many at once, beside `swift infer`.

    python -m benchmarks.measure_vllm_speed results/random-20b/model --val results/random-20b/data/train.jsonl --by vllm

It takes a GPU that holds the model, and envs/vllm.lock's packages. vLLM is asked over HTTP, by as many at once as the
row says; each answer has exactly --tokens tokens, whatever the model would end with. Each number is asked twice, and
the second time counts. `swift infer` gets as many prompts, in one batch, in its own process; loading is left out.
"""

import argparse
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure_inference_speed import answer
from benchmarks.speed.vllm_server import PROMPT, ask, replace_rows, serve_command, serving
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.models.render_chat import load_prompt_renderer
from pipeline.serving.address import TUNED
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
FLAGS = ["--max-model-len", "4096", "--no-enable-prefix-caching", "--max-num-seqs", "256"]


def ask_at_once(prompts: list[list[int]], tokens: int) -> float:
    """Return the seconds in which all prompts are answered, asked at the same time."""
    asked = {"model": TUNED, "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
    requests = [asked | {"prompt": ids} for ids in prompts]
    with ThreadPoolExecutor(len(requests)) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda request: ask("/v1/completions", request), requests))
        seconds = time.monotonic() - began
    assert {found["usage"]["completion_tokens"] for found in answers} == {tokens}
    return seconds


def measure_vllm(args: argparse.Namespace, rows: list[dict[str, Any]], log: Path) -> list[dict[str, Any]]:
    """Return a row for each number of prompts asked at once."""
    render = load_prompt_renderer(args.model, PROMPT)
    ids = [render(row) for row in rows]
    told = " ".join(["vllm", *serve_command(args.model, FLAGS)[3:]])
    found = []
    with serving(args.model, [*FLAGS, *args.flags], log) as ready:
        for number in args.at_once:
            prompts = list(islice(cycle(ids), number))
            seconds = [ask_at_once(prompts, args.tokens) for _ in range(2)][-1]
            row = {"by": f"vLLM {version('vllm')}", "at_once": number, "tokens": number * args.tokens}
            found.append(row | {"seconds": round(seconds, 2), "ready_seconds": ready, "command": told})
            print(json.dumps(found[-1]), flush=True)
    return found


def measure_swift(args: argparse.Namespace, rows: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Return a row for each number of prompts in one batch."""
    found = []
    for number in args.at_once:
        val = folder / f"{number}.jsonl"
        write_json_lines(val, list(islice(cycle(rows), number)))
        row = answer(argparse.Namespace(**vars(args) | {"val": val}), number, folder / f"{number}-answers.jsonl")
        kept = {name: row[name] for name in ("tokens", "seconds")}
        found.append({"by": f"swift infer, ms-swift {version('ms-swift')}", "at_once": number} | kept)
        print(json.dumps(found[-1]), flush=True)
    return found


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("model", type=Path)
    parser.add_argument("--val", type=Path, required=True, help="pairs, whose prompts are answered")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 36, 256], help="prompts: %(default)s")
    parser.add_argument("--tokens", type=int, default=256, help="of an answer")
    parser.add_argument("--by", choices=("vllm", "swift"), required=True)
    parser.add_argument("--flags", nargs="*", default=[], help="more flags of vllm serve, without their dashes")
    parser.add_argument("--attn-impl", default="eager")
    parser.add_argument("--experts-impl", default="grouped_mm")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "vllm_speed.json")
    args = parser.parse_args(argv)
    args.flags = [f"--{flag}" for flag in args.flags]

    pairs = read_json_lines(args.val)
    with tempfile.TemporaryDirectory() as folder:
        measured = (
            measure_vllm(args, pairs, args.out.with_suffix(".log"))
            if args.by == "vllm"
            else measure_swift(args, pairs, Path(folder))
        )
    replace_rows(args.out, [row | {"machine": torch.cuda.get_device_name()} for row in measured], "by")


if __name__ == "__main__":
    main()
