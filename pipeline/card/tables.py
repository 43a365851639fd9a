"""The tables of a model card, in Markdown."""

from collections.abc import Iterable
from typing import Any

from pipeline.evaluation.figures import is_figure
from pipeline.files.tables import markdown_table

# The most important settings of a training, by ms-swift's names.
SETTINGS = (
    "rlhf_type",
    "loss_type",
    "beta",
    "label_smoothing",
    "rpo_alpha",
    "loss_scale",
    "tuner_type",
    "target_modules",
    "target_parameters",
    "lora_rank",
    "lora_alpha",
    "num_train_epochs",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_ratio",
    "optim",
    "weight_decay",
    "max_grad_norm",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "global_world_size",
    "max_length",
    "torch_dtype",
    "seed",
    "data_seed",
)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as text; without rows, an empty text."""
    return "\n".join(markdown_table(head, rows))


def show_value(value: Any) -> str:
    """Return a setting as one word of YAML, a list as its words."""
    if isinstance(value, list):
        return ", ".join(map(show_value, value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def show_number(value: float | None) -> str:
    """Return a figure with four significant digits, or a dash for None."""
    return "–" if value is None else f"{value:.4g}"


def show_figure(figure: dict[str, Any] | None) -> str:
    """Return a figure with its interval, if there is one."""
    if figure is None or figure["value"] is None:
        return "–"
    known = figure.get("low") is not None and figure.get("high") is not None
    interval = f" [{show_number(figure['low'])}, {show_number(figure['high'])}]" if known else ""
    return f"{show_number(figure['value'])}{interval}"


def tabulate_settings(settings: dict[str, Any], steps: int | None) -> str:
    """Return the training's settings, from dpo/settings.json, and the versions of its packages."""
    arguments = settings["arguments"]
    rows = [(f"`{name}`", show_value(arguments[name])) for name in SETTINGS if name in arguments]
    if deepspeed := arguments.get("deepspeed"):
        rows.append(("DeepSpeed", f"ZeRO stage {deepspeed['zero_optimization']['stage']}"))
    if steps is not None:
        rows.append(("steps", str(steps)))
    rows.append(("versions", ", ".join(f"{name} {version}" for name, version in settings["versions"].items())))
    return table(["setting", "value"], rows)


def tabulate_figures(models: list[str], figures: dict[str, Any]) -> str:
    """Return a row for each figure: its value under each model, and the number of rows it is a mean of."""
    by_model = [figures.get(model, {}) for model in models]
    names = dict.fromkeys(name for known in by_model for name, value in known.items() if is_figure(value))
    rows = []
    for name in names:
        row = [known.get(name) for known in by_model]
        counts = [figure["n"] for figure in row if figure and figure.get("n") is not None]
        rows.append([name.replace("_", " "), *map(show_figure, row), str(max(counts, default="–"))])
    return table(["figure", *models, "n"], rows)


def tabulate_groups(figures: dict[str, Any], group: str, what: str) -> str:
    """Return a row for each group of pairs with their figures: `group` is by_tag or by_length."""
    groups = figures.get(group) or {}
    names = list(dict.fromkeys(name for known in groups.values() for name, value in known.items() if is_figure(value)))
    rows = []
    for label, known in groups.items():
        count = max((figure.get("n") or 0 for figure in known.values() if is_figure(figure)), default=0)
        rows.append([label, *(show_figure(known.get(name)) for name in names), str(count)])
    return table([what, *(name.replace("_", " ") for name in names), "n"], rows)


def tabulate_comparisons(comparisons: dict[str, Any]) -> str:
    """Return a row for each difference between two models."""
    rows = [
        [pair.replace("-", " − ", 1), name.replace("_", " "), show_figure(found), show_number(found.get("p"))]
        for pair, figures in comparisons.items()
        for name, found in figures.items()
        if is_figure(found)
    ]
    return table(["models", "figure", "difference", "p"], rows)
