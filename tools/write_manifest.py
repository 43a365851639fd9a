"""Write the SHA-256 of every file of a folder, in the form that `sha256sum --check` reads.

    python -m tools.write_manifest results/tiny/merged

The manifest is written beside the folder, as <folder>.sha256.
"""

import argparse
from pathlib import Path

from pipeline.files.folder_manifest import write_manifest


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)
    write_manifest(args.folder, args.folder.with_name(f"{args.folder.name}.sha256"))


if __name__ == "__main__":
    main()
