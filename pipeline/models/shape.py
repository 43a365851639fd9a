"""The shape of a gpt-oss: the number of its weights, and of the weights of a LoRA on it.

It comes from the config.json of `model.folder`, from `model.tiny`, or, where the folder is not there, from gpt-oss as
it is published: of 120b where the folder's name says so, else of 20b.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Bare parameters (not modules) that dpo.target_parameters can name, by the ends of their names.
BARE_PARAMETERS = ("gate_up_proj", "down_proj")


@dataclass(frozen=True)
class Shape:
    """The numbers that decide the sizes; `source` says where they are from."""

    source: str  # in words
    layers: int
    hidden: int
    intermediate: int
    experts: int
    experts_per_token: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """Return (inputs, outputs) of each linear module of a layer."""
        queries, keys = self.heads * self.head_size, self.key_value_heads * self.head_size
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
        }

    @property
    def bare(self) -> dict[str, tuple[int, int]]:
        """Return (inputs, outputs) of each bare parameter of one expert."""
        sizes = ((self.hidden, 2 * self.intermediate), (self.intermediate, self.hidden))
        return dict(zip(BARE_PARAMETERS, sizes, strict=True))

    @property
    def expert(self) -> int:
        """Return the weights of one expert, biases included."""
        return sum((inputs + 1) * outputs for inputs, outputs in self.bare.values())

    @property
    def layer_products(self) -> list[int]:
        """Return the weights that each product of a layer's experts takes, all experts', without biases."""
        return [self.experts * inputs * outputs for inputs, outputs in self.bare.values()]

    @property
    def layer(self) -> int:
        """Return the weights of a decoder layer: attention with its sinks, router, experts, two norms."""
        attention = sum((inputs + 1) * outputs for inputs, outputs in self.projections.values()) + self.heads
        return attention + self.experts * (self.hidden + 1) + self.experts * self.expert + 2 * self.hidden

    @property
    def parameters(self) -> int:
        """Return the weights of the model, its two embeddings included."""
        return 2 * self.vocabulary * self.hidden + self.layers * self.layer + self.hidden

    @property
    def active(self) -> int:
        """Return the number of weights used for a token: only its own experts, and one embedding."""
        idle = (self.experts - self.experts_per_token) * self.expert
        return self.vocabulary * self.hidden + self.layers * (self.layer - idle) + self.hidden


# config.json of openai/gpt-oss-20b and -120b, which differ in layers and experts.
PUBLISHED = Shape("gpt-oss-20b's published shape", 24, 2880, 2880, 32, 4, 64, 8, 64, 201_088)
PUBLISHED_120B = replace(PUBLISHED, source="gpt-oss-120b's published shape", layers=36, experts=128)

# The fields' names in config.json and model.tiny, in the same order.
OF_FOLDER = (
    *("num_hidden_layers", "hidden_size", "intermediate_size", "num_local_experts", "num_experts_per_tok"),
    *("num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size"),
)
OF_TINY = (
    *("layers", "hidden_size", "intermediate_size", "experts", "experts_per_token"),
    *("attention_heads", "key_value_heads", "head_size", "vocab_size"),
)


def find_shape(model: dict[str, Any]) -> Shape:
    """Return the shape of the model that the section `model` of the settings names.

    Raises ValueError, in one line, if config.json is there but does not give the shape.
    """
    if model["folder"] is None:
        return Shape(
            "random weights, in the shape of model.tiny" if model["random"] else "the tiny model of model.tiny",
            *(model["tiny"][name] for name in OF_TINY),
        )
    path = Path(model["folder"]) / "config.json"
    if path.is_file():
        return read_shape(path)
    return PUBLISHED_120B if "120b" in path.parent.name.lower() else PUBLISHED


def read_shape(path: Path) -> Shape:
    """Return the shape that a config.json says."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        sizes = [config[name] for name in OF_FOLDER]
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]} missing; fetch the model again") from None
    except (ValueError, TypeError, RecursionError):
        raise ValueError(f"{path}: not a JSON object; fetch the model again") from None
    for name, size in zip(OF_FOLDER, sizes, strict=True):
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{path}: {name} is {size!r}, not a count; fetch the model again")
    return Shape(str(path), *sizes)


def named_parameters(dpo: dict[str, Any]) -> list[str]:
    """Return the bare parameters of an expert that get a LoRA."""
    asked = dpo["target_parameters"] or []
    return [name for name in BARE_PARAMETERS if any(target.rpartition(".")[2] == name for target in asked)]


def count_adapter(shape: Shape, dpo: dict[str, Any]) -> int:
    """Return the weights of the LoRA: rank x (inputs + outputs) for each matrix that it is added to."""
    modules = shape.projections
    if "all-linear" not in dpo["target_modules"]:
        modules = {name: size for name, size in modules.items() if name in dpo["target_modules"]}
    experts = [shape.bare[name] for name in named_parameters(dpo)] * shape.experts
    return int(dpo["lora_rank"] * shape.layers * sum(map(sum, [*modules.values(), *experts])))
