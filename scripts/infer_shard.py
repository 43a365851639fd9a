"""Answer every n-th held-out prompt with `swift infer`.

    envs/with-training python scripts/infer_shard.py --model results/tiny/merged --val results/tiny/data/val.jsonl \
        --answers results/tiny/infer/shards/0.jsonl --shard 0 --shards 1 --gpus 0 --prompt-date 2026-01-01 \
        -- --temperature 0
"""

import argparse
import json
import sys
from pathlib import Path

from run_swift import CPU_THREADS, plugin_flags, require_gpus, run_swift, swift_environment


def deal(val: Path, shard: int, shards: int) -> str:
    """Return the lines of one shard: the prompts number shard, shard + shards, … with their chosen answers."""
    lines = val.read_text(encoding="utf-8").splitlines()[shard::shards]
    return "".join(json.dumps({"messages": json.loads(line)["messages"]}, ensure_ascii=False) + "\n" for line in lines)


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True, help="where swift's rows go")
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--gpus", type=int, required=True, help="0 infers on the CPU")
    parser.add_argument("--prompt-date", required=True)
    parser.add_argument("flags", nargs="+", help="flags of swift infer, after --")
    args = parser.parse_args(argv)

    require_gpus(args.gpus, "infer.gpus")
    prompts = args.answers.with_suffix(".prompts.jsonl")
    prompts.write_text(deal(args.val, args.shard, args.shards), encoding="utf-8")
    if not prompts.stat().st_size:
        sys.exit(f"{args.val}: no prompt left for shard {args.shard} of {args.shards}; lower infer.shards")
    args.answers.unlink(missing_ok=True)  # swift adds to a file that is there
    run_swift(
        [
            *("infer", "--model", str(args.model), "--val_dataset", str(prompts)),
            *("--result_path", str(args.answers), "--load_args", "false", "--strict", "true"),
            *args.flags,
            *plugin_flags("no_remote_code", "frozen_date"),
        ],
        swift_environment(args.prompt_date, 0 if args.gpus else CPU_THREADS, {}),
    )
    prompts.unlink()


if __name__ == "__main__":
    main()
