"""Answer every n-th held-out prompt with `swift infer`.

    envs/with-training python -m scripts.infer_shard --model results/tiny/merged --val results/tiny/data/val.jsonl \
        --model-manifest results/tiny/merged.sha256 --gates results/tiny/infer/shards/0.gates.json \
        --answers results/tiny/infer/shards/0.jsonl --shard 0 --shards 1 --gpus 0 --prompt-date 2026-01-01 \
        -- --temperature 0
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.gates import require_gates, write_gates
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.plugins import plugin_flags
from pipeline.launch.run_swift import CPU_THREADS, run_swift, swift_environment
from pipeline.models.model_gate import judge_files


def deal(val: Path, shard: int, shards: int) -> list[dict[str, Any]]:
    """Return the prompts of one shard, number shard, shard + shards and so on, with their chosen answers."""
    return [{"messages": pair["messages"]} for pair in read_json_lines(val)[shard::shards]]


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, help="folder of an adapter to put on the model")
    parser.add_argument("--model-manifest", type=Path, required=True)
    parser.add_argument("--gates", type=Path, required=True, help="what the inference proved of itself")
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True, help="where swift's rows go")
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--gpus", type=int, required=True, help="0 infers on the CPU")
    parser.add_argument("--prompt-date", required=True)
    parser.add_argument("flags", nargs="+", help="flags of swift infer, after --")
    args = parser.parse_args(argv)

    files = [judge_files("model_files", args.model, args.model_manifest)]
    if args.adapter:
        files.append(judge_files("adapter_files", args.adapter, args.adapter.with_name(f"{args.adapter.name}.sha256")))
    write_gates(args.gates, files)
    require_gates(args.gates)
    claims = claim_gpus(args.gpus, "infer.gpus")
    prompts = args.answers.with_suffix(".prompts.jsonl")
    if not (dealt := deal(args.val, args.shard, args.shards)):
        sys.exit(f"{args.val}: no prompt left for shard {args.shard} of {args.shards}; lower infer.shards")
    write_json_lines(prompts, dealt)
    args.answers.unlink(missing_ok=True)  # swift adds to a file that is there
    run_swift(
        [
            *("infer", "--model", str(args.model), "--val_dataset", str(prompts)),
            *("--result_path", str(args.answers), "--load_args", "false", "--strict", "true"),
            *(["--adapters", str(args.adapter)] if args.adapter else []),
            *args.flags,
            *plugin_flags(),
        ],
        swift_environment(args.prompt_date, 0 if args.gpus else CPU_THREADS, {}),
        open_files=claims,
    )
    prompts.unlink()


if __name__ == "__main__":
    main()
