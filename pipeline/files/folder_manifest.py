"""Manifests: the SHA-256 of every file of a folder, in the form that `sha256sum --check` reads.

Rules pass on the manifest of a folder, because Snakemake compares files by content, but folders not at all.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.files.known_hashes import file_sha256, known_sha256

CARD = "README.md"  # what a model's folder says to people
# Folders beside a published gpt-oss: the same weights in formats of other programs, as large as those that are used.
OTHER_FORMATS = ("original", "metal")


def list_files(folder: Path) -> list[Path]:
    """Return the files of a folder that a manifest names.

    Hidden files are left out: Snakemake and downloaders keep marks of their own there. So is the card of a model, which
    is written when the model has been evaluated, and from which nothing is computed. So are formats that nothing reads.
    """
    inside = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path != folder / CARD]
    used = (
        path for path in inside if path.parts[0] not in OTHER_FORMATS and not any(part[0] == "." for part in path.parts)
    )
    return sorted(folder / path for path in used)


def manifest_text(folder: Path, manifest: Path) -> str:
    """Return the manifest of a folder as it is now; its paths are relative to the manifest's own folder."""
    files = list_files(folder)
    with ThreadPoolExecutor() as threads:  # hashing leaves Python's lock to others
        digests = list(threads.map(known_sha256, files))
    return "".join(f"{h}  {os.path.relpath(path, manifest.parent)}\n" for h, path in zip(digests, files, strict=True))


def manifest_beside(folder: Path) -> Path:
    """Return where a folder's manifest goes if nothing else is said: beside it, under its name with .sha256."""
    return folder.with_name(f"{folder.name}.sha256")


def write_manifest(folder: Path, manifest: Path) -> None:
    """Write the manifest of a folder."""
    partial = manifest.with_name(f"{manifest.name}.partial")
    partial.write_text(manifest_text(folder, manifest), encoding="utf-8")
    partial.replace(manifest)


def digest_of_folder(folder: Path, manifest: Path) -> str:
    """Return a digest of the files of a folder; of those that its manifest names, where the folder is not here."""
    if folder.is_dir():
        text = manifest_text(folder, manifest)
    else:
        text = manifest.read_text(encoding="utf-8") if manifest.is_file() else ""
    return hashlib.sha256(text.encode()).hexdigest()


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
