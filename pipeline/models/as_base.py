"""Write a merged model as its packed base came: the base's files, with the tensors that adapters changed replaced.

The merge itself is done in bfloat16. Its tensors are of the same size as the base's own, and go to their places in the
files; the experts' blocks and scales are never touched.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.files.folder_manifest import list_files
from pipeline.files.known_hashes import file_sha256
from pipeline.gates import Gate, gate
from pipeline.models.dequantised_folder import BLOCKS, SCALES, Tensors, dequantise_experts, plain_kinds
from pipeline.models.model_folder import find_model_problem
from pipeline.models.model_weights import is_packed_folder, read_tensors
from pipeline.models.weight_file import Stored, read_bytes, read_header

ADAPTER, PREFIX = "adapter_model.safetensors", "base_model.model."


def list_targets(adapters: Iterable[Path]) -> set[str]:
    """Return the names of the model's tensors that LoRA adapters change, by the names of their own tensors."""
    names = {name.removeprefix(PREFIX) for adapter in adapters for name in read_header(adapter / ADAPTER)}
    own = {name.replace(".base_layer", "") for name in names}
    return {f"{name.partition('.lora_')[0]}.weight" if ".lora_" in name else name for name in own}


def find_base_problem(base: Path, model: Path, adapters: Sequence[Path]) -> str | None:
    """Return in one line why a merge of `model` cannot be written as `base` came; None if it can."""
    if problem := find_model_problem(base):
        return problem
    if not is_packed_folder(base):
        return f"{base}: its weights are not packed; leave it out, since a merged model is in bfloat16"
    expected, found = plain_kinds(base), {name: stored.kind for name, stored in read_tensors(model).items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            return (
                f"{base}: not the base of {model}: {name} is {expected.get(name)} there, not {found.get(name)}; "
                "name the packed model that the adapter was trained on"
            )
    if packed := sorted(list_targets(adapters) - read_tensors(base).keys()):
        return (
            f"{base}: has {packed[0].removesuffix('.weight')} packed, and the adapter changes it; merge into bfloat16"
        )
    return None


def write_as_base(base: Path, plain: Path, adapters: Sequence[Path], folder: Path) -> None:
    """Write the merge in `plain` into `folder`, which is there, with the files of the packed `base`."""
    for path in list_files(base):
        (copy := folder / path.relative_to(base)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    places, merged, targets = read_tensors(folder), read_tensors(plain), list_targets(adapters)
    for name in sorted(targets):
        with places[name].file.open("r+b") as stream:
            stream.seek(places[name].start)
            stream.writelines(read_bytes(merged[name]))
    print(f"{folder}: the files of {base}, with {len(targets)} tensors of the merge", flush=True)


def judge_as_base(base: Path, plain: Path, adapters: Sequence[Path], folder: Path) -> list[Gate]:
    """Return the gates of a merge that was written as its base came."""
    before, after, merged = read_tensors(base), read_tensors(folder), read_tensors(plain)
    others = before.keys() - list_targets(adapters)
    changed = sorted(name for name in others if name not in after or not are_equal(before[name], after[name]))
    kept = f"{len(others)} tensors, the experts among them, are the base's"
    files, own = describe_files(base), describe_files(folder)
    odd = sorted(path for path in files.keys() | own.keys() if files.get(path) != own.get(path))
    other = differing_tensor(after, merged)
    seen = f"{other} differs" if other else "the merge"
    return [
        gate("kept_files", not odd, f"{odd[0]} differs" if odd else f"{len(files)} files", "the base's"),
        gate("kept_tensors", not changed, f"{changed[0]} differs" if changed else kept, "the base's, byte for byte"),
        gate("dequantised", other is None, seen, "the merge in bfloat16, bit for bit"),
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


def differing_tensor(packed: Tensors, plain: Tensors) -> str | None:
    """Return the name of a tensor that is not the same in a packed model and in one in bfloat16; None if all are."""
    names = [name for name in packed if not name.endswith(SCALES)]
    if others := sorted({name.removesuffix(BLOCKS) for name in names} ^ plain.keys()):
        return others[0]
    for name in names:
        own = name.removesuffix(BLOCKS)
        if name.endswith(BLOCKS):
            same = are_dequantised(packed[name], packed[f"{own}{SCALES}"], plain[own])
        else:
            same = are_equal(packed[name], plain[own])
        if not same:
            return own
    return None


def are_dequantised(blocks: Stored, scales: Stored, weights: Stored) -> bool:
    """Say whether weights are those of packed experts, bit for bit; one expert is in memory at a time."""
    pieces = read_bytes(weights, weights.kind.size // weights.kind.shape[0])
    return all(one.tobytes() == piece for one, piece in zip(dequantise_experts(blocks, scales), pieces, strict=True))
