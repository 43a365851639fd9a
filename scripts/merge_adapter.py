"""Merge a LoRA adapter into its model with `swift export --merge_lora true`, and prove that the result is both.

    envs/with-training python -m scripts.merge_adapter --model results/tiny/model \
        --model-manifest results/tiny/model.sha256 \
        --adapter results/tiny/dpo/adapter --merged results/tiny/merged --manifest results/tiny/merged.sha256 \
        --val results/tiny/dpo/val.jsonl --gates results/tiny/merge/gates.json --torch-dtype float32 \
        --max-shard-size 5GB --gpus 0 --prompt-date 2026-01-01
"""

import argparse
import shutil
import sys
from pathlib import Path

from pipeline.files.folder_manifest import write_manifest
from pipeline.gates import require_gates, write_gates
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.plugins import plugin_flags
from pipeline.launch.run_swift import CPU_THREADS, run_swift, swift_environment
from pipeline.models.model_gate import judge_files

GIB = 2**30


def require_space(model: Path, target: Path) -> None:
    """Stop with one line if the disk of `target` cannot hold a second copy of the model's weights."""
    needed = sum(path.stat().st_size for path in model.glob("*.safetensors"))
    free = shutil.disk_usage(target).free
    if free < needed:
        sys.exit(
            f"{target}: {free / GIB:.1f} GiB free, but the merged model takes {needed / GIB:.1f} GiB; "
            "make room, or let results/ be a link to a larger disk"
        )


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--model-manifest", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--merged", type=Path, required=True, help="folder for the merged model")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True, help="held-out pairs, of which some are probes")
    parser.add_argument("--gates", type=Path, required=True, help="what the merge proved of itself")
    parser.add_argument("--torch-dtype", required=True, help="type in which the probes are computed")
    parser.add_argument("--max-shard-size", required=True)
    parser.add_argument("--gpus", type=int, required=True, help="0 merges on the CPU, in the machine's own memory")
    parser.add_argument("--prompt-date", required=True)
    args = parser.parse_args(argv)

    files = [
        judge_files("model_files", args.model, args.model_manifest),
        judge_files("adapter_files", args.adapter, args.adapter.with_name(f"{args.adapter.name}.sha256")),
    ]
    write_gates(args.gates, files)
    require_gates(args.gates)
    claims = claim_gpus(args.gpus, "infer.gpus")
    require_space(args.model, args.merged.parent)
    shutil.rmtree(args.merged, ignore_errors=True)
    run_swift(
        [
            *("export", "--model", str(args.model), "--adapters", str(args.adapter), "--merge_lora", "true"),
            *("--output_dir", str(args.merged), "--max_shard_size", args.max_shard_size),
            *("--torch_dtype", "bfloat16", "--load_args", "false"),
            *plugin_flags(),
        ],
        swift_environment(args.prompt_date, 0 if args.gpus else CPU_THREADS, {}),
        open_files=claims,
    )
    from pipeline.models.merge_gates import judge_merge, load_probes  # slow, and in the training environment only

    probes = load_probes(args.model, args.val, args.prompt_date)
    merge = judge_merge(args.model, args.adapter, args.merged, probes, args.torch_dtype, args.gpus)
    write_gates(args.gates, [*files, *merge])
    require_gates(args.gates)
    write_manifest(args.merged, args.manifest)


if __name__ == "__main__":
    main()
