"""Check that a folder holds a gpt-oss that can be tuned, and write the SHA-256 of its files.

    python -m scripts.check_model models/gpt-oss-20b --manifest results/tutorial/model.sha256

It compares the name, type and shape of every tensor with what config.json implies, in bfloat16 or packed (MXFP4), and
looks for NaN, infinity, and packed numbers beyond the range of bfloat16.
"""

import sys
from pathlib import Path

from pipeline.files.folder_manifest import write_manifest
from pipeline.files.one_line import one_line
from pipeline.models.model_folder import find_model_problem
from pipeline.models.model_weights import read_tensors
from pipeline.models.weight_values import find_bad_number
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("folder", type=Path, help="model.folder")
    parser.add_argument("--manifest", type=Path, required=True, help="file for the SHA-256 of the model's files")
    args = parser.parse_args(argv)
    if problem := find_model_problem(args.folder) or find_bad_number(read_tensors(args.folder)):
        sys.exit(one_line(problem))
    write_manifest(args.folder, args.manifest)


if __name__ == "__main__":
    main()
