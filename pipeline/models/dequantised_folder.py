"""Write a packed model (MXFP4) as bfloat16, file by file, with one expert in memory at a time."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.files.folder_manifest import list_files
from pipeline.models.expected_tensors import BLOCKS, SCALES, expect_tensors
from pipeline.models.model_weights import CONFIG, INDEX, read_object, read_tensors
from pipeline.models.mxfp4 import dequantise
from pipeline.models.shape import read_shape
from pipeline.models.weight_file import Kind, Stored, read_bytes, write_weights

Kinds = Mapping[str, Kind]
Tensors = Mapping[str, Stored]
Pieces = Iterator[Any]  # of tensors' bytes


def plain_kinds(model: Path) -> dict[str, Kind]:
    """Return the tensors that a packed model has in bfloat16."""
    return expect_tensors(read_shape(model / CONFIG), plain_config(model))


def plain_config(model: Path) -> dict[str, Any]:
    """Return the config.json of a packed model without the words that say so."""
    return {key: value for key, value in read_object(model / CONFIG).items() if key != "quantization_config"}


def write_plain(model: Path, folder: Path) -> None:
    """Write the packed model in `model` as bfloat16 into `folder`, which is there.

    What is not an expert's weights is copied byte for byte, and so are all other files, but config.json.
    """
    tensors, kinds = read_tensors(model), plain_kinds(model)
    files: dict[str, list[str]] = {}
    for name, stored in tensors.items():
        if not name.endswith(SCALES):
            files.setdefault(stored.file.name, []).append(name)
    for file, names in files.items():
        chosen = {name.removesuffix(BLOCKS): kinds[name.removesuffix(BLOCKS)] for name in names}
        write_weights(folder / file, chosen, read_plain(names, tensors))
        print(f"{file}: {len(names)} tensors, {(folder / file).stat().st_size:,} bytes", flush=True)
    index = {name.removesuffix(BLOCKS): file for file, names in files.items() for name in names}
    write_descriptions(model, folder, index, kinds)
    copied = {CONFIG, INDEX, *(stored.file.name for stored in tensors.values())}
    for path in list_files(model):
        if (inside := path.relative_to(model)).as_posix() not in copied:
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / inside)


def write_descriptions(model: Path, folder: Path, index: Mapping[str, str], kinds: Kinds) -> None:
    """Write config.json, and the index if the packed model has one."""
    texts = {CONFIG: plain_config(model)}
    if (model / INDEX).is_file():
        texts[INDEX] = {"metadata": {"total_size": sum(kind.size for kind in kinds.values())}, "weight_map": index}
    for name, value in texts.items():
        (folder / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_plain(names: list[str], tensors: Tensors) -> Pieces:
    """Yield the bytes of tensors one after the other, dequantised if they are packed."""
    for name in names:
        if name.endswith(BLOCKS):  # the scales may be in another file
            yield from dequantise_experts(tensors[name], tensors[f"{name.removesuffix(BLOCKS)}{SCALES}"])
        else:
            yield from read_bytes(tensors[name])


def dequantise_experts(blocks: Stored, scales: Stored) -> Pieces:
    """Yield the bytes of one expert's weights after the other's, in bfloat16, as transformers has them."""
    for expert in range(blocks.kind.shape[0]):
        weights = dequantise(read_expert(blocks, expert), read_expert(scales, expert))
        yield weights.view(torch.uint8).numpy()


def read_expert(stored: Stored, expert: int) -> torch.Tensor:
    """Return the blocks or scales of one expert, as a tensor of one expert."""
    count = stored.kind.size // stored.kind.shape[0]
    read = np.fromfile(stored.file, np.uint8, count, offset=stored.start + expert * count)
    return torch.from_numpy(read).reshape(1, *stored.kind.shape[1:])
