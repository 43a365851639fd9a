"""Build a gpt-oss of any size with random weights: one file for each layer, several files at a time.

    envs/with-training python -m scripts.build_random_model results/one-gpu/data/train.jsonl \
        --settings "$(python -m tools.show_settings build_random_model experiments/one-gpu.yaml)" \
        --folder results/one-gpu/model --processes 16

The SHA-256 of its files is written beside the folder, to results/one-gpu/model.sha256.

It shows that a graph runs at full size, without a download. The weights are drawn as transformers initialises a model
before training, and the answers are noise. Each process holds one layer in memory; the whole model is never there. The
bytes depend on the shape and its seed, not on the number of processes. The tokenizer is trained on the pairs given.
"""

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import GptOssConfig, GptOssForCausalLM

from pipeline.files.folder_manifest import manifest_beside, write_manifest
from pipeline.files.json_lines import read_json_lines
from pipeline.models.tiny import build_tokenizer, describe_generation, describe_model, save_tokenizer, texts_of
from pipeline.settings.stage import stage_parser

SPREAD = 0.02  # the standard deviation of a fresh weight: transformers' initializer_range
TOKENS = 2560  # tokens; a few hundred pairs are not enough text for gpt-oss's 201,088
Shapes = dict[str, torch.Size]


def draw_weight(name: str, shape: torch.Size, seed: int) -> torch.Tensor:
    """Return a fresh weight in bfloat16: 1 for norms, 0 for biases and sinks, everything else normally distributed.

    Each number is one of 65,536 equally likely ones. gpt-oss-20b's shape took 52 s this way, 96 s with torch's own.
    """
    if "norm" in name:
        return torch.ones(shape, dtype=torch.bfloat16)
    if "bias" in name or "sinks" in name:
        return torch.zeros(shape, dtype=torch.bfloat16)
    likely = SPREAD * torch.special.ndtri((torch.arange(65_536, dtype=torch.float64) + 0.5) / 65_536)
    bits = likely.to(torch.bfloat16).view(torch.int16).numpy()
    own = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big")
    drawn = np.random.Generator(np.random.PCG64(own)).integers(0, 65_536, shape, dtype=np.uint16)
    return torch.from_numpy(bits[drawn]).view(torch.bfloat16)


def list_files(config: GptOssConfig) -> list[Shapes]:
    """Return the shapes of the weights in each file: one file holds a layer."""
    with torch.device("meta"):
        model = GptOssForCausalLM(config)
    shapes = [(name, weight.shape) for name, weight in model.named_parameters()]
    layers = groupby(shapes, key=lambda item: item[0].rpartition("layers.")[2].partition(".")[0])
    return [dict(weights) for _, weights in layers]


def write_file(path: Path, shapes: Shapes, seed: int) -> None:
    """Write a file of weights in bfloat16; each weight has its own seed."""
    torch.set_num_threads(1)
    weights = {name: draw_weight(name, shape, seed) for name, shape in shapes.items()}
    save_file(weights, path, metadata={"format": "pt"})
    print(f"{path.name}: {sum(weight.numel() for weight in weights.values()):,} weights", flush=True)


def write_weights(config: GptOssConfig, folder: Path, seed: int, processes: int) -> None:
    """Write the files of weights, and the index that names the file of each weight."""
    files = list_files(config)
    names = [f"model-{number:05}-of-{len(files):05}.safetensors" for number in range(1, len(files) + 1)]
    # Spawned, because a forked process does not have torch's threads.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(write_file, seed=seed), [folder / name for name in names], files))
    index: dict[str, Any] = {
        "metadata": {"total_size": 2 * sum(shape.numel() for shapes in files for shape in shapes.values())},
        "weight_map": {weight: name for name, shapes in zip(names, files, strict=True) for weight in shapes},
    }
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


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
    describe_generation(tokenizer).save_pretrained(args.folder)
    write_weights(config, args.folder, shape["seed"], args.processes)
    write_manifest(args.folder, manifest_beside(args.folder))


if __name__ == "__main__":
    main()
