"""Which files of plugins/ ms-swift loads, and in which order."""

from collections.abc import Iterable

# What every stage loads, so that all of them see one prompt and a whole model: training, inference, and checks
# (render_chat.py).
EVERY_STAGE = ("no_remote_code", "whole_model", "frozen_date")
# Of a training. Rows are counted first: what is loaded last wraps what was loaded before.
LOSS = ("cpu_zero3", "fp32_logps")
TRAINING = (
    "every_row",
    "training_gates",
    "count_rows",
    "whole_checkpoints",
    "stop_in_time",
    "no_orphans",
    "end_at_once",
)


def training_plugins(levers: Iterable[str], tracked: bool) -> list[str]:
    """Return what a training loads, by name. `levers` are those of train.fast that are on."""
    return [*LOSS, *(f"fast/{name}" for name in levers), *TRAINING, *(["swanlab_run"] if tracked else [])]


def plugin_files(names: Iterable[str] = ()) -> list[str]:
    """Return the files of the plugins of every stage, and of the named ones after them."""
    return [f"plugins/{name}.py" for name in dict.fromkeys((*EVERY_STAGE, *names))]


def plugin_flags(names: Iterable[str] = ()) -> list[str]:
    """Return the flag that loads the plugins of every stage, and the named ones after them."""
    return ["--external_plugins", *plugin_files(names)]
