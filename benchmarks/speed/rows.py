"""The trainings that measure_training_speed.py compares: what each changes in the tutorial's settings."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from pipeline.launch.plugins import LEVERS

ROOT = Path(__file__).parents[2]
# Tokens a second and GPU in one pass of gpt-oss-20b's 3.6 billion active parameters, at the rate of a large bfloat16
# product on an H100 (798 TFLOP/s).
PASS = 110_700
FAST = {"attn_impl": "flex_attention", "experts_impl": "grouped_mm", "use_liger_kernel": False}
ONE_BATCH = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "gradient_checkpointing": False}
RECIPE = FAST | ONE_BATCH | {"deepspeed": None}
FLOAT32 = {"deepspeed": None, "use_liger_kernel": False, "bf16": False, "experts_impl": "grouped_mm"}
MODES = {"ZeRO-3": "zero3", "ZeRO-2": "zero2", "data parallel": None}
NAMES = ("the tutorial's flags", "without DeepSpeed", "recipe, reference in the step")


class Row(NamedTuple):
    """A training: settings beside the tutorial's, levers of plugins/fast, tokens of a sequence, GPUs.

    A row that comes `after` another finds on the disk what that has kept: compiled layers, the reference. `shape` is
    20b or 120b, `packed` whether its experts are. `small` are settings of train.small, and `card` the GiB that torch
    may take of the GPU, where it stands for a smaller one.
    """

    settings: Mapping[str, Any] = MappingProxyType({})
    levers: tuple[str, ...] = ()
    length: int = 400
    gpus: int = 1
    plugins: tuple[str, ...] = ()
    trainer: str = "ms-swift"
    after: str | None = None
    shape: str = "20b"
    packed: bool = False
    small: Mapping[str, Any] = MappingProxyType({})
    card: float | None = None

    @property
    def pairs(self) -> int:
        """Pairs in a step."""
        settings = settings_of(self)
        return int(self.gpus * settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"])


def count_passes(name: str, row: Row) -> int:
    """Return the passes over the model in a step: forward, backward, the reference's, and a forward one to checkpoint.

    The backward pass counts once: frozen weights have no gradient. A kept reference takes none.
    """
    return 2 + bool(settings_of(row)["gradient_checkpointing"]) + ("reference kept" not in name)


def computed_share(row: Row) -> float:
    """Return the share of a pair's tokens that are computed: with `packed_pairs` the prompt, which is half, once."""
    return 0.75 if "packed_pairs" in row.levers else 1.0


def find_limit(name: str, row: Row) -> float:
    """Return the tokens a second and GPU of a row of gpt-oss-20b, if its products ran at their full rate."""
    return PASS / count_passes(name, row) / computed_share(row)


def scaled(gpus: int) -> dict[str, Row]:
    """Return the rows on several GPUs: the tutorial's flags and the recipe, the model shared in each of three ways."""
    many = f", {gpus} GPUs"
    plain = {f"{mode}{many}": Row({"deepspeed": stage}, gpus=gpus) for mode, stage in MODES.items()}
    # As ms-swift checkpoints unasked, with which DeepSpeed keeps all layers until a backward pass ends.
    plain[f"ZeRO-3, reentrant{many}"] = Row({"deepspeed": "zero3", "gradient_checkpointing_kwargs": None}, gpus=gpus)
    fast = {
        f"recipe, {mode}{many}": Row(RECIPE | {"deepspeed": stage}, LEVERS, gpus=gpus, after=NAMES[2])
        for mode, stage in MODES.items()
        if stage != "zero3"
    }
    # Under ZeRO-3 there are no levers; what is left are larger batches, other kernels and no checkpointing.
    rest = RECIPE | {"deepspeed": "zero3", "attn_impl": "eager"}
    return plain | fast | {f"recipe without levers, ZeRO-3{many}": Row(rest, gpus=gpus)}


ROWS = {
    NAMES[2]: Row(RECIPE, LEVERS),
    "float32": Row(FLOAT32, plugins=("float32_layers",)),
    NAMES[0]: Row(),
    "recipe, 2 x 8192": Row(RECIPE | {"per_device_train_batch_size": 2, "gradient_checkpointing": True}, LEVERS, 8192),
    NAMES[1]: Row({"deepspeed": None}),
    "ZeRO-2": Row({"deepspeed": "zero2"}),
    "TRL": Row(trainer="TRL"),
    "recipe, not compiled": Row(RECIPE, ("packed_pairs", "cached_reference")),
    "recipe, reference kept": Row(RECIPE, LEVERS, after=NAMES[2]),
    **scaled(2),
    **scaled(4),
}

SIXTEEN = {"per_device_train_batch_size": 16}
ONE = {"per_device_train_batch_size": 1, "gradient_checkpointing": True}
EXPERTS = {"target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}
WITHOUT = ("packed_pairs", "cached_reference")
LARGE = Row(RECIPE | SIXTEEN | {"gradient_checkpointing": True}, LEVERS, shape="120b", packed=True, card=78)


def both(name: str, row: Row) -> dict[str, Row]:
    """Return a row over weights in bfloat16 and over packed ones."""
    return {f"bfloat16, {name}": row, f"packed, {name}": row._replace(packed=True)}


def kept(rows: dict[str, Row]) -> dict[str, Row]:
    """Return rows, and each once more with the reference that it has kept."""
    return rows | {f"{name}, reference kept": row._replace(after=name) for name, row in rows.items()}


# The experts packed, and in bfloat16 beside it; the cards that a limit of memory stands for; experts that are trained.
PACKED = {
    **kept(both("8 pairs", Row(RECIPE, LEVERS))),
    **kept(both("16 pairs", Row(RECIPE | SIXTEEN, LEVERS))),
    **both("8 pairs, not compiled", Row(RECIPE, WITHOUT)),
    "packed, 8 pairs, not compiled, a product for each expert": Row(
        RECIPE, WITHOUT, packed=True, plugins=("no_grouped_product",)
    ),
    "packed, LoRA of experts, 8 pairs": Row(RECIPE | EXPERTS, LEVERS, packed=True),
    "packed, 24 GB card, 2 x 4096": Row(RECIPE | ONE, WITHOUT, 4096, packed=True, card=22.5),
    "packed, 16 GB card, 2 x 1024": Row(
        RECIPE | ONE, WITHOUT, 1024, packed=True, card=14.6, small={"experts_at_once": 4, "host_embeddings": True}
    ),
    **kept({"packed, 120b, 80 GB card, 16 pairs": LARGE}),
    **kept({"packed, 120b, 80 GB card, 16 pairs, not compiled": LARGE._replace(levers=WITHOUT)}),
    "packed, 8 pairs, 2 GPUs": Row(RECIPE, LEVERS, packed=True, gpus=2, after="packed, 8 pairs"),
}

# Of these only losses and gradients are compared, of no other than 8 pairs of 2 x 400 tokens.
EXACT = {
    "float32, a pair at a time": Row(
        FLOAT32 | {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 8}, plugins=("float32_layers",)
    ),
    "recipe in float32": Row(RECIPE | FLOAT32 | {"gradient_checkpointing": True}, LEVERS, plugins=("float32_layers",)),
}


def settings_of(row: Row) -> dict[str, Any]:
    """Return the settings of `dpo`: the tutorial's, except the steps, the changes of a row, and one loss for all."""
    settings: dict[str, Any] = {}
    for name in ("config.yaml", "experiments/tutorial.yaml"):
        settings |= yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["dpo"]
    same: dict[str, Any] = {"rpo_alpha": None, "lora_dropout": 0, "loss_scale": "last_round", "max_length": 16384}
    same |= {"logging_steps": 1, "save_strategy": "no"}
    same |= {"learning_rate": 2e-5, "lr_scheduler_type": "constant", "warmup_ratio": 0.0, "dataset_shuffle": False}
    same |= {"train_dataloader_shuffle": False, "dataloader_num_workers": 0}
    return settings | same | dict(row.settings)
