"""Build a gpt-oss of any size with random weights, packed as it is published: a file for each layer, several at a time.

    envs/with-training python -m scripts.build_random_model results/random-20b/data/train.jsonl \
        --settings "$(python -m tools.show_settings build_random_model experiments/random-20b.yaml)" \
        --folder results/random-20b/model --processes 16

The SHA-256 of its files is written beside the folder, to results/random-20b/model.sha256.

It shows that a graph runs at full size, without a download. The answers are noise: every code of an expert's weight is
equally likely, and all other weights are drawn as transformers initialises a model before training. Each process holds
one layer in memory; the whole model is never there. The bytes depend on the shape and its seed, not on the number of
processes. The tokenizer is trained on the pairs given.
"""

import hashlib
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import groupby
from math import prod
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from pipeline.files.disk_space import require_space
from pipeline.files.folder_manifest import manifest_beside, write_manifest
from pipeline.files.json_lines import read_json_lines
from pipeline.models.expected_tensors import BLOCKS, SCALES, expect_tensors
from pipeline.models.model_weights import CONFIG, INDEX, read_object
from pipeline.models.mxfp4 import BIAS
from pipeline.models.published_layout import say_packed
from pipeline.models.shape import read_shape
from pipeline.models.tiny import build_tokenizer, describe_generation, describe_model, save_tokenizer, texts_of
from pipeline.models.weight_file import Kind
from pipeline.settings.stage import stage_parser

SPREAD = 0.02  # the standard deviation of a fresh weight: transformers' initializer_range
SCALE = BIAS - 7  # of each block of experts' weights: 2^-7 times the root mean square of all codes, 2.93, is 0.023
TOKENS = 2560  # tokens; a few hundred pairs are not enough text for gpt-oss's 201,088
Kinds = dict[str, Kind]


def draw_weight(name: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Return a fresh weight: 1 for norms, 0 for biases and sinks, random codes for experts, else normally distributed.

    Each number of a normal distribution is one of 65,536 equally likely ones, in bfloat16.
    """
    if name.endswith(SCALES):
        return torch.full(shape, SCALE, dtype=torch.uint8)
    if "norm" in name:
        return torch.ones(shape, dtype=torch.bfloat16)
    if "bias" in name or "sinks" in name:
        return torch.zeros(shape, dtype=torch.bfloat16)
    own = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big")
    generator = np.random.Generator(np.random.PCG64(own))
    if name.endswith(BLOCKS):
        return torch.from_numpy(np.frombuffer(generator.bytes(prod(shape)), np.uint8).copy()).view(shape)
    likely = SPREAD * torch.special.ndtri((torch.arange(65_536, dtype=torch.float64) + 0.5) / 65_536)
    bits = likely.to(torch.bfloat16).view(torch.int16).numpy()
    return torch.from_numpy(bits[generator.integers(0, 65_536, shape, dtype=np.uint16)]).view(torch.bfloat16)


def list_files(folder: Path) -> list[Kinds]:
    """Return the weights in each file of the model that config.json describes: one file holds a layer."""
    config = read_object(folder / CONFIG)
    kinds = expect_tensors(read_shape(folder / CONFIG), config).items()
    layers = groupby(kinds, key=lambda item: item[0].rpartition("layers.")[2].partition(".")[0])
    return [dict(weights) for _, weights in layers]


def write_file(path: Path, kinds: Kinds, seed: int) -> None:
    """Write a file of weights; each weight has its own seed."""
    torch.set_num_threads(1)
    weights = {name: draw_weight(name, kind.shape, seed) for name, kind in kinds.items()}
    save_file(weights, path, metadata={"format": "pt"})
    print(f"{path.name}: {len(weights)} tensors, {path.stat().st_size:,} bytes", flush=True)


def write_weights(folder: Path, seed: int, processes: int) -> None:
    """Write the files of weights, and the index that names the file of each weight."""
    files = list_files(folder)
    names = [f"model-{number:05}-of-{len(files) - 1:05}.safetensors" for number in range(len(files))]
    size = sum(kind.size for kinds in files for kind in kinds.values())
    require_space(size, folder, "the model takes {:.1f} GiB")
    # Spawned, because a forked process does not have torch's threads.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(write_file, seed=seed), [folder / name for name in names], files))
    index: dict[str, Any] = {
        "metadata": {"total_size": size},
        "weight_map": {weight: name for name, kinds in zip(names, files, strict=True) for weight in kinds},
    }
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("train", type=Path, help="pairs to train the tokenizer on")
    parser.add_argument("--folder", type=Path, required=True, help="folder for the model")
    parser.add_argument("--processes", type=int, required=True, help="number of layers to draw at the same time")
    args = parser.parse_args(argv)

    shape = args.settings["model"]["tiny"]
    tokenizer = build_tokenizer(texts_of(read_json_lines(args.train)), min(TOKENS, shape["vocab_size"]))
    config = describe_model(tokenizer, shape, shape["vocab_size"])
    config.dtype = torch.bfloat16
    args.folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, args.folder)
    config.save_pretrained(args.folder)
    say_packed(args.folder)
    describe_generation(tokenizer).save_pretrained(args.folder)
    try:
        write_weights(args.folder, shape["seed"], args.processes)
    except BrokenProcessPool:
        sys.exit(
            "the system ended a process, as it does where memory runs out; give it more memory, or fewer --processes"
        )
    write_manifest(args.folder, manifest_beside(args.folder))


if __name__ == "__main__":
    main()
