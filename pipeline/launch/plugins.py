"""Which files of plugins/ ms-swift loads, and in which order; and which of them its trainer calls, in which order."""

from collections.abc import Iterable, Mapping
from typing import Any

# What every stage loads, so that all of them see one prompt and a whole model: training, inference, and checks
# (render_chat.py).
EVERY_STAGE = ("no_remote_code", "whole_model", "packed_experts", "note_loading", "harmony")
# What a training loads after these. Each replaces something of ms-swift's, of TRL's or of transformers'. Two of them
# replace the same, and so their order counts: cached_reference wraps the forward pass that packed_pairs has put there.
BEFORE_LEVERS = ("no_orphans", "end_at_once", "cpu_zero3", "fp32_logps", "every_row")
# What inference loads.
INFERENCE = (*EVERY_STAGE, "note_answer_ends")
# Of train.fast, in this order.
LEVERS = ("packed_pairs", "compiled_layers", "cached_reference")
# Of train.small, by its settings.
SMALL = {"experts_at_once": "few_experts", "host_embeddings": "host_embeddings"}
# Callbacks that the trainer calls in this order, after its own, which says when to log and to save.
# - count_rows: before anything is trained.
# - stop_in_time: it asks for a checkpoint, and
# - whole_checkpoints: has figures logged where there is one.
# - training_gates: they put themselves last, behind what writes figures down.
CALLBACKS = ("count_rows", "stop_in_time", "whole_checkpoints", "training_gates")


def training_plugins(train: Mapping[str, Any], tracked: bool) -> list[str]:
    """Return the names of the plugins of a training, whose settings under `train` these are."""
    levers = [name for name, wanted in train.get("fast", {}).items() if wanted]
    fast = [f"fast/{lever}" for lever in sorted(levers, key=LEVERS.index)]
    small = [f"small/{SMALL[name]}" for name, wanted in train["small"].items() if wanted]
    return [*EVERY_STAGE, *BEFORE_LEVERS, *fast, *small, *CALLBACKS, *(["swanlab_run"] if tracked else [])]


def plugin_files(names: Iterable[str] = EVERY_STAGE) -> list[str]:
    """Return the files of plugins: of those of every stage, or of the named ones."""
    return [f"plugins/{name}.py" for name in names]


def plugin_flags(names: Iterable[str] = EVERY_STAGE) -> list[str]:
    """Return the flag that loads the plugins of every stage, or the named ones."""
    return ["--external_plugins", *plugin_files(names)]


def training_flags(plugins: Iterable[str]) -> list[str]:
    """Return the flags that load what a training loads, and have its trainer call the callbacks among it."""
    return [*plugin_flags(plugins), "--callbacks", *CALLBACKS]
