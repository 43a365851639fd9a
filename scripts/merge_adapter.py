"""Merge a LoRA adapter into its model with `swift export --merge_lora true`, and check the result.

    envs/with-training python -m scripts.merge_adapter \
        --settings "$(python -m tools.show_settings merge_adapter)" \
        --model results/tiny/model --manifest results/tiny/model.sha256 \
        --adapter results/tiny/dpo/adapter --val results/tiny/dpo/val.jsonl --out results/tiny

It writes merged/, merged.sha256, and merge/gates.json, with the gates of the merge. With infer.gpus: 0 it merges
on the CPU, in the machine's own memory. With --base models/gpt-oss-20b --base-manifest results/tiny/model.sha256, the
packed model that --model was dequantised from, merged/ has its files, with the tensors of the adapter replaced by those
of the merge in bfloat16, which lies in merge/bfloat16 until then.
"""

import argparse
import shutil
import sys
from pathlib import Path

from pipeline.files.folder_manifest import manifest_beside, write_manifest
from pipeline.gates import Gate, require_gates, write_gates
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.model_flags import model_flags
from pipeline.launch.plugins import plugin_flags
from pipeline.launch.run_swift import CPU_THREADS, run_swift, swift_environment
from pipeline.models.model_gate import gates_of_model, judge_files
from pipeline.settings.stage import stage_parser

# Inside --out.
MERGED = "merged"
MANIFEST = "merged.sha256"
GATES = "merge/gates.json"
PLAIN = "merge/bfloat16"  # until the merged model is written as the packed base came
GIB = 2**30
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    "chat_template.jinja",
)


def require_space(models: list[Path], target: Path) -> None:
    """Stop with one line if the disk of `target` cannot hold a second copy of each model's weights."""
    needed = sum(path.stat().st_size for model in models for path in model.glob("*.safetensors"))
    free = shutil.disk_usage(target).free
    if free < needed:
        sys.exit(
            f"{target}: {free / GIB:.1f} GiB free, but the merge takes {needed / GIB:.1f} GiB; "
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


def merge_in_bfloat16(args: argparse.Namespace, folder: Path, open_files: list[int]) -> None:
    """Have ms-swift merge the adapter, into a folder."""
    threads = 0 if args.settings["infer"]["gpus"] else CPU_THREADS
    run_swift(
        [
            *("export", *model_flags(args.model), "--adapters", str(args.adapter), "--merge_lora", "true"),
            *("--output_dir", str(folder), "--max_shard_size", args.settings["merge"]["max_shard_size"]),
            *("--torch_dtype", "bfloat16", "--load_args", "false"),
            *plugin_flags(),
        ],
        swift_environment(args.settings["prompt"]["date"], threads, {}),
        open_files=open_files,
    )
    copy_tokenizer(args.model, folder)


def judge(args: argparse.Namespace, folder: Path) -> list[Gate]:
    """Return the gates of a merge in bfloat16."""
    from pipeline.models.merge_gates import judge_merge, load_probes  # slow, and in the training environment only

    infer = args.settings["infer"]
    probes = load_probes(args.model, args.val, args.settings["prompt"]["date"])
    return judge_merge(args.model, args.adapter, folder, probes, infer["torch_dtype"], infer["gpus"])


def require_base(args: argparse.Namespace) -> None:
    """Stop with one line if the merge cannot be written as its base came."""
    from pipeline.models.as_base import find_base_problem  # in the training environment only

    if problem := find_base_problem(args.base, args.model, list_adapters(args)):
        sys.exit(problem)


def keep_base(args: argparse.Namespace, plain: Path, merged: Path) -> list[Gate]:
    """Write the merge in bfloat16 as its base came, and return the gates of that."""
    from pipeline.models.as_base import judge_as_base, write_as_base

    merged.mkdir()
    write_as_base(args.base, plain, list_adapters(args), merged)
    return judge_as_base(args.base, plain, list_adapters(args), merged)


def list_adapters(args: argparse.Namespace) -> list[Path]:
    """Return the adapters that the merged model has and its base lacks."""
    return [args.adapter, *([args.sft_adapter] if args.sft_adapter else [])]


def merge(args: argparse.Namespace, files: list[Gate], open_files: list[int]) -> None:
    """Write the merged model, and its gates behind those of its files; stop with one line if one fails."""
    merged, gates, plain = args.out / MERGED, args.out / GATES, args.out / PLAIN
    first = plain if args.base else merged
    merge_in_bfloat16(args, first, open_files)
    found = [*files, *judge(args, first)]
    write_gates(gates, found)
    require_gates(gates)
    if args.base:
        write_gates(gates, [*found, *keep_base(args, plain, merged)])
        require_gates(gates)
    write_manifest(merged, args.out / MANIFEST)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = stage_parser(__doc__, out="the merged model, its manifest and gates")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model, in bfloat16")
    parser.add_argument("--manifest", type=Path, required=True, help="the model's manifest")
    parser.add_argument(
        "--adapter", type=Path, required=True, help="folder of the adapter, with its manifest beside it"
    )
    parser.add_argument("--base", type=Path, nargs="?", help="the packed model, where the merged one keeps its files")
    parser.add_argument("--base-manifest", type=Path, nargs="?", help="the packed model's manifest")
    parser.add_argument("--sft-adapter", type=Path, nargs="?", help="folder of the adapter that is merged in --model")
    parser.add_argument("--val", type=Path, required=True, help="held-out pairs; the first few are used as probes")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    gates, models = args.out / GATES, [args.model, *([args.base] if args.base else [])]
    files = gates_of_model(args.model, args.manifest, args.adapter)
    if args.base:
        files.append(judge_files("base_files", args.base, args.base_manifest or manifest_beside(args.base)))
    write_gates(gates, files)
    require_gates(gates)
    if args.base:
        require_base(args)
    claims = claim_gpus(args.settings["infer"]["gpus"], "infer.gpus")
    for name in (MERGED, PLAIN):
        shutil.rmtree(args.out / name, ignore_errors=True)
    require_space(models, args.out)
    try:
        merge(args, files, claims)
    except BaseException:  # a gate that failed is a SystemExit
        shutil.rmtree(args.out / MERGED, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(args.out / PLAIN, ignore_errors=True)


if __name__ == "__main__":
    main()
