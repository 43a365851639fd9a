"""The weights of a model's folder: which file has which tensor, and whether they are those that config.json implies."""

import json
from pathlib import Path
from typing import Any

from pipeline.models.expected_tensors import BLOCK, TYPES, expect_tensors, is_packed
from pipeline.models.shape import read_shape
from pipeline.models.weight_file import READ_AGAIN, Stored, read_header

CONFIG, SINGLE, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
FETCH_AGAIN = "fetch the model again"


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; raises ValueError, in one line, if the file holds anything else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not a JSON object; {FETCH_AGAIN}")
    return value


def is_packed_folder(folder: Path) -> bool:
    """Say whether a folder holds a packed model, as its config.json says; if that cannot be read, it does not."""
    try:
        return is_packed(read_object(folder / CONFIG))
    except (ValueError, OSError):
        return False


def read_index(folder: Path) -> dict[str, str] | None:
    """Return the file of each tensor, as the index says; None if there is none, and one file has all.

    Raises ValueError, in one line, if it names anything but safetensors files of this folder.
    """
    path = folder / INDEX
    if not path.is_file():
        return None
    index = read_object(path).get("weight_map")
    if not isinstance(index, dict) or not index or not all(isinstance(name, str) for name in index.values()):
        raise ValueError(f"{path}: not an index of weights; {FETCH_AGAIN}")
    for name in sorted(set(index.values())):
        if Path(name).name != name:
            raise ValueError(f"{path}: names {name}, which leads out of the folder; {FETCH_AGAIN}")
        if not name.endswith(".safetensors"):
            raise ValueError(f"{path}: names {name}, which is not a safetensors file; {FETCH_AGAIN}, in that format")
    return index


def read_tensors(folder: Path) -> dict[str, Stored]:
    """Return every tensor of a model's files; raises ValueError, in one line, if they and their index differ."""
    index = read_index(folder)
    names = {SINGLE} if index is None else set(index.values())
    for name in sorted(names):
        if not (folder / name).is_file():
            raise ValueError(f"{folder / name}: missing; {READ_AGAIN}")
    if others := sorted(path.name for path in folder.glob("*.safetensors") if path.name not in names):
        raise ValueError(f"{folder / others[0]}: not named in {INDEX}; move it out of the folder, or fetch the index")
    found: dict[str, Stored] = {}
    for name in sorted(names):
        tensors = read_header(folder / name)
        for tensor in tensors:
            if index is not None and index.get(tensor) != name:
                raise ValueError(f"{folder / name}: {tensor} is there, but {INDEX} does not say so; {FETCH_AGAIN}")
        found |= tensors
    if missing := [tensor for tensor in index or () if tensor not in found]:
        where = (index or {})[missing[0]]
        raise ValueError(f"{folder / INDEX}: names {missing[0]}, which {where} does not have; {FETCH_AGAIN}")
    return found


def check_weights(folder: Path, config: dict[str, Any]) -> None:
    """Raise ValueError, in one line, if a tensor is not what config.json implies: the first one, by its name."""
    path = folder / CONFIG
    shape = read_shape(path)
    require_known_format(path, config)
    if is_packed(config):
        for name, inputs in (("hidden_size", shape.hidden), ("intermediate_size", shape.intermediate)):
            if inputs % BLOCK:
                raise ValueError(f"{path}: {name} is {inputs}, not a multiple of {BLOCK}, as packed weights need")
    found = read_tensors(folder)
    if shape.layers > len(found):
        raise ValueError(
            f"{path}: num_hidden_layers is {shape.layers}, but there are {len(found)} tensors; {FETCH_AGAIN}"
        )
    expected = expect_tensors(shape, config)
    require_same_format(path, config, found)
    for name, kind in expected.items():
        if name not in found:
            raise ValueError(f"{folder}: no file has {name}, which config.json implies; {FETCH_AGAIN}")
        if found[name].kind != kind:
            file, seen = found[name].file, found[name].kind
            raise ValueError(f"{file}: {name} is {seen}, but config.json implies {kind}; {FETCH_AGAIN}")
    if others := [name for name in found if name not in expected]:
        raise ValueError(f"{found[others[0]].file}: {others[0]} is not in a model of this config.json; {FETCH_AGAIN}")


def require_known_format(path: Path, config: dict[str, Any]) -> None:
    """Raise ValueError, in one line, if config.json names a format that is not read."""
    quantisation = config.get("quantization_config")
    if quantisation is not None and not is_packed(config):
        method = quantisation.get("quant_method") if isinstance(quantisation, dict) else quantisation
        raise ValueError(f"{path}: quant_method is {method!r}; take the published model (mxfp4), or one in bfloat16")
    dtype = config.get("dtype") or config.get("torch_dtype") or "bfloat16"
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise ValueError(f"{path}: dtype is {dtype!r}, not one of {', '.join(TYPES)}; convert the weights to bfloat16")
    if is_packed(config) and dtype != "bfloat16":
        raise ValueError(f"{path}: dtype is {dtype!r} of a packed model, not bfloat16; take the published model")


def require_same_format(path: Path, config: dict[str, Any], found: dict[str, Stored]) -> None:
    """Raise ValueError, in one line, if the tensors are packed and config.json says that they are not, or reversed."""
    packed = next((name for name in found if name.endswith("_proj_blocks")), None)
    if packed and not is_packed(config):
        raise ValueError(f"{path}: no quantization_config, but {packed} is packed; fetch config.json again")
    plain = next((name for name in found if name.endswith("experts.gate_up_proj")), None)
    if plain and is_packed(config):
        raise ValueError(f"{path}: quant_method is mxfp4, but {plain} is not packed; fetch config.json again")
