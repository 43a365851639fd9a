"""Write a packed gpt-oss (MXFP4) as bfloat16, file by file, with one expert in memory at a time.

    envs/with-training python -m scripts.dequantise_model models/gpt-oss-20b \
        --manifest results/mine/model.sha256 --folder results/mine/dequantised

No model is built. The experts' weights are those that transformers makes of a packed folder when it loads it; every
other tensor is copied byte for byte, and so is every other file, but config.json, which no longer says that the weights
are packed. The SHA-256 of all files is written beside the folder, to results/mine/dequantised.sha256.
"""

import shutil
import sys
from pathlib import Path

from pipeline.files.disk_space import require_space
from pipeline.files.folder_manifest import manifest_beside, write_manifest
from pipeline.models.dequantised_folder import plain_kinds, write_plain
from pipeline.models.expected_tensors import is_packed
from pipeline.models.model_folder import find_model_problem
from pipeline.models.model_gate import judge_files
from pipeline.models.model_weights import CONFIG, read_object
from pipeline.settings.stage import stage_parser

TAKEN = "the model takes {:.1f} GiB in bfloat16"


def find_problem(model: Path, manifest: Path, folder: Path) -> str | None:
    """Return in one line why a model cannot be dequantised into a folder; None if it can."""
    if problem := find_model_problem(model):
        return problem
    if not is_packed(read_object(model / CONFIG)):
        return f"{model}: its weights are not packed; use it as it is"
    if folder.resolve() == model.resolve():
        return f"{folder}: the packed model's own folder; name another with --folder"
    files = judge_files("model_files", model, manifest)
    return None if files["passed"] else str(files["value"])


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("model", type=Path, help="folder of the packed model")
    parser.add_argument("--manifest", type=Path, required=True, help="the packed model's manifest")
    parser.add_argument("--folder", type=Path, required=True, help="folder for the model in bfloat16")
    args = parser.parse_args(argv)
    if problem := find_problem(args.model, args.manifest, args.folder):
        sys.exit(problem)
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    require_space(sum(kind.size for kind in plain_kinds(args.model).values()), args.folder, TAKEN)
    write_plain(args.model, args.folder)
    if problem := find_model_problem(args.folder):
        raise RuntimeError(problem)
    write_manifest(args.folder, manifest_beside(args.folder))


if __name__ == "__main__":
    main()
