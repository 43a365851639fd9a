"""Merge a LoRA adapter into its model with `swift export --merge_lora true`, and check the result.

    envs/with-training python -m scripts.merge_adapter \
        --settings "$(python -m tools.show_settings merge_adapter)" \
        --model results/tiny/model --manifest results/tiny/model.sha256 \
        --adapter results/tiny/dpo/adapter --val results/tiny/dpo/val.jsonl --out results/tiny

It writes merged/, merged.sha256, and merge/gates.json, with the gates of the merge. With infer.gpus: 0 it merges
on the CPU, in the machine's own memory. A packed model stays packed: merged/ has its files, with the tensors of the
adapter replaced. With merge.format: bfloat16, or where the adapter changes experts, it is dequantised before, into
merge/, and merged/ is in bfloat16.
"""

import argparse
import shutil
from pathlib import Path

from pipeline.files.disk_space import require_space
from pipeline.files.folder_manifest import write_manifest
from pipeline.gates import Gate, require_gates, write_gates
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.model_flags import model_flags
from pipeline.launch.plugins import plugin_flags
from pipeline.launch.run_swift import CPU_THREADS, run_swift, swift_environment
from pipeline.models.as_base import judge_as_base, trains_experts, write_as_base
from pipeline.models.expected_tensors import is_part
from pipeline.models.model_gate import gates_of_model
from pipeline.models.model_weights import is_packed_folder, read_tensors
from pipeline.settings.stage import stage_parser

# Inside --out.
MERGED = "merged"
MANIFEST = "merged.sha256"
GATES = "merge/gates.json"
DEQUANTISED = "merge/dequantised"  # the packed model, where the merged one is in bfloat16
BY_SWIFT = "merge/beside_experts"  # what ms-swift writes of a packed model: all but its experts
TAKEN = "the merge takes {:.1f} GiB"
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    "chat_template.jinja",
)


def needed_space(args: argparse.Namespace) -> int:
    """Return the bytes that the merge writes: the model, and that without experts, or dequantised, if it is packed."""
    if not is_packed_folder(args.model):
        return weights_size(args.model)
    if stays_packed(args):
        tensors = read_tensors(args.model)
        return weights_size(args.model) + sum(one.kind.size for name, one in tensors.items() if not is_part(name))
    from pipeline.models.dequantised_folder import plain_kinds  # in the training environment only

    return 2 * sum(kind.size for kind in plain_kinds(args.model).values())


def weights_size(model: Path) -> int:
    """Return the bytes of the files of a model's weights."""
    return sum(path.stat().st_size for path in model.glob("*.safetensors"))


def copy_tokenizer(model: Path, merged: Path) -> None:
    """Give the merged model the tokenizer's files of the model, byte for byte.

    Those that `swift export` writes name a class of transformers 5, at which transformers 4 stops.
    """
    for name in TOKENIZER_FILES:
        (merged / name).unlink(missing_ok=True)
        if (model / name).is_file():
            shutil.copyfile(model / name, merged / name)


def merge_by_swift(args: argparse.Namespace, model: Path, folder: Path, open_files: list[int]) -> None:
    """Have ms-swift merge the adapter into a model, and write that into a folder."""
    threads = 0 if args.settings["infer"]["gpus"] else CPU_THREADS
    run_swift(
        [
            *("export", *model_flags(model), "--adapters", str(args.adapter), "--merge_lora", "true"),
            *("--output_dir", str(folder), "--max_shard_size", args.settings["merge"]["max_shard_size"]),
            *("--torch_dtype", "bfloat16", "--load_args", "false"),
            *plugin_flags(),
        ],
        swift_environment(args.settings["prompt"], threads, {}),
        open_files=open_files,
    )
    copy_tokenizer(model, folder)


def keep_packed(args: argparse.Namespace, folder: Path, open_files: list[int]) -> list[Gate]:
    """Write the merged model as its packed base came, and return the gates of that."""
    by_swift = args.out / BY_SWIFT
    merge_by_swift(args, args.model, by_swift, open_files)
    folder.mkdir()
    write_as_base(args.model, by_swift, args.adapter, folder)
    shutil.rmtree(by_swift)
    return judge_as_base(args.model, args.adapter, folder)


def judge(args: argparse.Namespace, model: Path, folder: Path) -> list[Gate]:
    """Return the gates of a merge into a model."""
    from pipeline.models.merge_gates import judge_merge, load_probes  # slow, and in the training environment only

    infer = args.settings["infer"]
    probes = load_probes(model, args.val, args.settings["prompt"])
    return judge_merge(model, args.adapter, folder, probes, infer["torch_dtype"], infer["gpus"])


def merge(args: argparse.Namespace, files: list[Gate], open_files: list[int]) -> None:
    """Write the merged model, and its gates behind those of its files; stop with one line if one fails."""
    merged, gates, model = args.out / MERGED, args.out / GATES, args.model
    if stays_packed(args):
        kept = keep_packed(args, merged, open_files)
    else:
        model, kept = dequantise(args), []
        merge_by_swift(args, model, merged, open_files)
    write_gates(gates, [*files, *kept, *judge(args, model, merged)])
    require_gates(gates)
    write_manifest(merged, args.out / MANIFEST)


def stays_packed(args: argparse.Namespace) -> bool:
    """Say whether the merged model is written as its packed base came."""
    can = is_packed_folder(args.model) and not trains_experts(args.adapter)
    return can and args.settings["merge"].get("format") != "bfloat16"


def dequantise(args: argparse.Namespace) -> Path:
    """Return the folder of the model in bfloat16: its own, if it is."""
    model: Path = args.model
    if is_packed_folder(model):
        from pipeline.models.dequantised_folder import write_plain

        packed, model = model, args.out / DEQUANTISED
        model.mkdir()
        write_plain(packed, model)
    return model


def remove(args: argparse.Namespace, *names: str) -> None:
    """Remove folders of what the merge writes."""
    for name in names:
        shutil.rmtree(args.out / name, ignore_errors=True)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = stage_parser(__doc__, out="the merged model, its manifest and gates")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--manifest", type=Path, required=True, help="the model's manifest")
    parser.add_argument(
        "--adapter", type=Path, required=True, help="folder of the adapter, with its manifest beside it"
    )
    parser.add_argument("--val", type=Path, required=True, help="held-out pairs; the first few are used as probes")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    gates = args.out / GATES
    files = gates_of_model(args.model, args.manifest, args.adapter)
    write_gates(gates, files)
    require_gates(gates)
    claims = claim_gpus(args.settings["infer"]["gpus"], "infer.gpus")
    remove(args, MERGED, BY_SWIFT, DEQUANTISED)
    require_space(needed_space(args), args.out, TAKEN)
    try:
        merge(args, files, claims)
    except BaseException:  # a gate that failed is a SystemExit
        remove(args, MERGED)
        raise
    finally:
        remove(args, BY_SWIFT, DEQUANTISED)


if __name__ == "__main__":
    main()
