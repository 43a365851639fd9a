"""The gates that the files that a stage loads are those of their manifests."""

import sys
from pathlib import Path

from pipeline.files.folder_manifest import manifest_beside, manifest_text
from pipeline.gates import Gate, gate


def gates_of_model(model: Path, manifest: Path, adapter: Path | None) -> list[Gate]:
    """Return the gates of a model and of its adapter, whose manifest is beside it."""
    gates = [judge_files("model_files", model, manifest)]
    return [*gates, judge_files("adapter_files", adapter, manifest_beside(adapter))] if adapter else gates


def judge_files(name: str, folder: Path, manifest: Path) -> Gate:
    """Return the gate that the files of a folder are those of its manifest, byte for byte."""
    expected = read_manifest(manifest.read_text(encoding="utf-8"))
    seen = read_manifest(manifest_text(folder, manifest))
    differing = sorted(path for path in expected.keys() | seen.keys() if expected.get(path) != seen.get(path))
    value = f"{differing[0]} differs from {manifest}; fetch or make it again" if differing else "as named"
    return gate(name, not differing, value, "as named")


def read_manifest(text: str) -> dict[str, str]:
    """Return the SHA-256 by path of a manifest."""
    return {path: digest for digest, _, path in (line.partition("  ") for line in text.splitlines())}


def require_model(model: Path, manifest: Path | None, adapter: Path | None) -> list[Path]:
    """Return the manifests of a model and its adapter; stop with one line if a file is missing or differs from them."""
    folders = {model: "config.json", **({adapter: "adapter_config.json"} if adapter else {})}
    for folder, name in folders.items():
        if not (folder / name).is_file():
            sys.exit(f"{folder}: {name} is missing, so there is no {name.partition('_')[0]} to score with")
    own = manifest or manifest_beside(model)
    manifests = [own, *([manifest_beside(adapter)] if adapter else [])]
    for path in manifests:
        if not path.is_file():
            sys.exit(f"{path}: no such manifest; write it: python -m tools.write_manifest <the folder>")
    for row in gates_of_model(model, own, adapter):
        if not row["passed"]:
            sys.exit(row["value"])
    return manifests
