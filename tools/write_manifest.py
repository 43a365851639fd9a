"""Write the SHA-256 of every file of a folder, in the form that `sha256sum --check` reads.

    python -m tools.write_manifest results/tiny/merged

The manifest is written beside the folder, as <folder>.sha256.
"""

from pathlib import Path

from pipeline.files.folder_manifest import manifest_beside, write_manifest
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(argv).folder
    write_manifest(folder, manifest_beside(folder))


if __name__ == "__main__":
    main()
