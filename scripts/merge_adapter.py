"""Merge a LoRA adapter into its model with `swift export --merge_lora true`, and check the result.

    envs/with-training python -m scripts.merge_adapter \
        --settings "$(python -m tools.show_settings merge_adapter)" \
        --model results/tiny/model --manifest results/tiny/model.sha256 \
        --adapter results/tiny/dpo/adapter --val results/tiny/dpo/val.jsonl --out results/tiny

It writes merged/, merged.sha256, and merge/gates.json, with the gates of the merge. With infer.gpus: 0 it merges
on the CPU, in the machine's own memory.
"""

import shutil
import sys
from pathlib import Path

from pipeline.files.folder_manifest import write_manifest
from pipeline.gates import require_gates, write_gates
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.model_flags import model_flags
from pipeline.launch.plugins import plugin_flags
from pipeline.launch.run_swift import CPU_THREADS, run_swift, swift_environment
from pipeline.models.model_gate import gates_of_model
from pipeline.settings.stage import stage_parser

# Inside --out.
MERGED = "merged"
MANIFEST = "merged.sha256"
GATES = "merge/gates.json"
GIB = 2**30
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    "chat_template.jinja",
)


def require_space(model: Path, target: Path) -> None:
    """Stop with one line if the disk of `target` cannot hold a second copy of the model's weights."""
    needed = sum(path.stat().st_size for path in model.glob("*.safetensors"))
    free = shutil.disk_usage(target).free
    if free < needed:
        sys.exit(
            f"{target}: {free / GIB:.1f} GiB free, but the merged model takes {needed / GIB:.1f} GiB; "
            "make room, or let results/ be a link to a larger disk"
        )


def copy_tokenizer(model: Path, merged: Path) -> None:
    """Give the merged model the tokenizer's files of the model, byte for byte.

    Those that `swift export` writes name a class of transformers 5, at which transformers 4 stops.
    """
    for name in TOKENIZER_FILES:
        (merged / name).unlink(missing_ok=True)
        if (model / name).is_file():
            shutil.copyfile(model / name, merged / name)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out="the merged model, its manifest and gates")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--manifest", type=Path, required=True, help="the model's manifest")
    parser.add_argument(
        "--adapter", type=Path, required=True, help="folder of the adapter, with its manifest beside it"
    )
    parser.add_argument("--val", type=Path, required=True, help="held-out pairs; the first few are used as probes")
    args = parser.parse_args(argv)
    settings, gpus, date = args.settings, args.settings["infer"]["gpus"], args.settings["prompt"]["date"]
    merged, gates = args.out / MERGED, args.out / GATES

    files = gates_of_model(args.model, args.manifest, args.adapter)
    write_gates(gates, files)
    require_gates(gates)
    claims = claim_gpus(gpus, "infer.gpus")
    require_space(args.model, args.out)
    shutil.rmtree(merged, ignore_errors=True)
    run_swift(
        [
            *("export", *model_flags(args.model), "--adapters", str(args.adapter), "--merge_lora", "true"),
            *("--output_dir", str(merged), "--max_shard_size", settings["merge"]["max_shard_size"]),
            *("--torch_dtype", "bfloat16", "--load_args", "false"),
            *plugin_flags(),
        ],
        swift_environment(date, 0 if gpus else CPU_THREADS, {}),
        open_files=claims,
    )
    copy_tokenizer(args.model, merged)
    from pipeline.models.merge_gates import judge_merge, load_probes  # slow, and in the training environment only

    probes = load_probes(args.model, args.val, date)
    merge = judge_merge(args.model, args.adapter, merged, probes, settings["infer"]["torch_dtype"], gpus)
    write_gates(gates, [*files, *merge])
    require_gates(gates)
    write_manifest(merged, args.out / MANIFEST)


if __name__ == "__main__":
    main()
