"""Measure the speed of answers: one prompt at a time, as in the tutorial, many at a time, and by vLLM.

    python -m benchmarks.measure_inference_speed results/random-20b/merged --val results/random-20b/data/val.jsonl

It takes a GPU that holds the model. Every row is scripts/infer_shard.py, as the graph runs it, on the same prompts,
greedily; seconds are those of the answers, without loading. In bfloat16 a batch rounds otherwise than a prompt alone,
so two answers may part where two tokens are about as likely: how many of the answers are the same is a column. With
--vllm, vLLM answers last, with batches of its own choosing; it needs to be in the environment (envs/vllm.lock).
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from pipeline.files.folder_manifest import manifest_beside
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
STATISTICS = re.compile(r"'num_generated_tokens': (\d+), .*'runtime': ([\d.]+)")


def settings(args: argparse.Namespace, batch: int | None) -> dict[str, Any]:
    """Return the settings of an inference that answers `batch` prompts at a time, or by vLLM where it is None."""
    infer: dict[str, Any] = {"backend": "transformers" if batch else "vllm", "gpus": 1, "shards": 1}
    infer |= {"max_new_tokens": args.tokens, "temperature": 0, "max_batch_size": batch, "repetition_penalty": None}
    infer |= {"answers_per_prompt": 1, "torch_dtype": "bfloat16", "attn_impl": args.attn_impl}
    return {"infer": infer, "dpo": {"experts_impl": args.experts_impl}, "prompt": {"date": "2026-01-01"}}


def answer(args: argparse.Namespace, batch: int | None, answers: Path) -> dict[str, Any]:
    """Answer all prompts, `batch` at a time, or by vLLM where it is None; return the measurements."""
    command = [sys.executable, "-m", "scripts.infer_shard", "--settings", json.dumps(settings(args, batch))]
    command += ["--model", str(args.model), "--manifest", str(manifest_beside(args.model)), "--val", str(args.val)]
    command += ["--shard", "0", "--answers", str(answers)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = STATISTICS.search(done.stdout)
    if done.returncode or not found:
        sys.stderr.write(done.stdout + done.stderr)
        sys.exit(f"{batch or 'all'} prompts at a time: status {done.returncode}; what was said stands above")
    tokens, seconds = int(found[1]), float(found[2])
    told = shlex.join(command).replace(sys.executable, "python").replace(str(answers), "ANSWERS")
    row = {"backend": "transformers" if batch else "vllm", "prompts_at_once": batch}
    return row | {"tokens": tokens, "seconds": round(seconds, 2), "command": told}


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("model", type=Path)
    parser.add_argument("--val", type=Path, required=True, help="held-out pairs, whose prompts are answered")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32], help="prompts at once: %(default)s")
    parser.add_argument("--vllm", action="store_true", help="let vLLM answer, too")
    parser.add_argument("--tokens", type=int, default=64, help="of an answer, at the most")
    parser.add_argument("--attn-impl", default="eager")
    parser.add_argument("--experts-impl", default="grouped_mm")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "inference_speed.json")
    args = parser.parse_args(argv)

    rows: list[dict[str, Any]] = []
    alone: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for batch in [*args.batches, *([None] if args.vllm else [])]:
            answers = Path(folder) / f"{batch}.jsonl"
            row = answer(args, batch, answers)
            said = [json.loads(line)["response"] for line in answers.read_text(encoding="utf-8").splitlines()]
            alone = alone or said
            same = sum(one == other for one, other in zip(said, alone, strict=True))
            rows.append(row | {"prompts": len(said), "same_answers": same, "machine": torch.cuda.get_device_name()})
            print(json.dumps(rows[-1]), flush=True)
            args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
