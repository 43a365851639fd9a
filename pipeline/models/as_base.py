"""Write a merged model as its packed base came: the base's files, with the tensors that an adapter changed replaced.

ms-swift merges into the packed model itself. Its tensors are of the same size as the base's own, and go to their places
in the files; the experts' blocks and scales are never touched.
"""

import shutil
from pathlib import Path

from pipeline.files.folder_manifest import list_files
from pipeline.files.known_hashes import file_sha256
from pipeline.gates import Gate, gate
from pipeline.models.model_weights import read_tensors
from pipeline.models.weight_file import Stored, read_bytes, read_header

ADAPTER, PREFIX = "adapter_model.safetensors", "base_model.model."


def list_targets(adapter: Path) -> set[str]:
    """Return the names of the model's tensors that a LoRA adapter changes, by the names of its own tensors."""
    own = {name.removeprefix(PREFIX).replace(".base_layer", "") for name in read_header(adapter / ADAPTER)}
    return {f"{name.partition('.lora_')[0]}.weight" if ".lora_" in name else name for name in own}


def trains_experts(adapter: Path) -> bool:
    """Say whether a LoRA adapter changes weights of experts, which a packed model cannot hold."""
    return any(name.endswith(".mlp.experts.weight") for name in list_targets(adapter))


def write_as_base(base: Path, merged: Path, adapter: Path, folder: Path) -> None:
    """Write the model `merged`, which is `base` with an adapter merged into it, into `folder` with the base's files."""
    for path in list_files(base):
        (copy := folder / path.relative_to(base)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    places, found, targets = read_tensors(folder), read_tensors(merged), list_targets(adapter)
    for name in sorted(targets):
        with places[name].file.open("r+b") as stream:
            stream.seek(places[name].start)
            stream.writelines(read_bytes(found[name]))
    print(f"{folder}: the files of {base}, with {len(targets)} tensors of the merge", flush=True)


def judge_as_base(base: Path, adapter: Path, folder: Path) -> list[Gate]:
    """Return the gates of a merge that was written as its base came."""
    before, after = read_tensors(base), read_tensors(folder)
    others = before.keys() - list_targets(adapter)
    changed = sorted(name for name in others if name not in after or not are_equal(before[name], after[name]))
    kept = f"{len(others)} tensors, the experts among them, are the base's"
    files, own = describe_files(base), describe_files(folder)
    odd = sorted(path for path in files.keys() | own.keys() if files.get(path) != own.get(path))
    return [
        gate("kept_files", not odd, f"{odd[0]} differs" if odd else f"{len(files)} files", "the base's"),
        gate("kept_tensors", not changed, f"{changed[0]} differs" if changed else kept, "the base's, byte for byte"),
    ]


def are_equal(one: Stored, other: Stored) -> bool:
    """Say whether two tensors are the same, byte for byte."""
    if one.kind != other.kind:
        return False
    return all(piece == same for piece, same in zip(read_bytes(one), read_bytes(other), strict=True))


def describe_files(folder: Path) -> dict[Path, object]:
    """Return the content of each file of a model: of weights, the places of the tensors; of others, the SHA-256."""
    found: dict[Path, object] = {}
    for path in list_files(folder):
        weights = path.suffix == ".safetensors"
        own = [(name, one.kind, one.start) for name, one in read_header(path).items()] if weights else file_sha256(path)
        found[path.relative_to(folder)] = own
    return found
