"""Write the SHA-256 of every file of a folder, in the form that `sha256sum --check` reads.

    python scripts/folder_manifest.py results/tiny/merged

The manifest stands beside the folder, as <folder>.sha256. Rules hand the manifest on, because
Snakemake compares files by content and folders not at all.
"""

import argparse
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CARD = "README.md"  # what a model's folder says to people


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Path) -> None:
    """Write the manifest of `folder`; paths in it are relative to the manifest's own folder.

    Hidden files are left out: Snakemake and downloaders keep marks of their own there. So is the card of a model, which
    is written when the model has been evaluated, and which nothing is computed from.
    """
    found = (path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)
    files = sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))
    with ThreadPoolExecutor() as threads:  # hashing leaves Python's lock to others
        digests = list(threads.map(file_sha256, files))
    lines = [
        f"{digest}  {os.path.relpath(path, manifest.parent)}\n" for digest, path in zip(digests, files, strict=True)
    ]
    partial = manifest.with_name(f"{manifest.name}.partial")
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(manifest)


def agrees(manifest: Path) -> bool:
    """Say whether there is a manifest, and every file that it names is as it was then."""
    if not manifest.is_file():
        return False
    for line in manifest.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        path = manifest.parent / name
        if not path.is_file() or file_sha256(path) != digest:
            return False
    return True


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)
    write_manifest(args.folder, args.folder.with_name(f"{args.folder.name}.sha256"))


if __name__ == "__main__":
    main()
