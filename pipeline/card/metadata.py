"""The metadata at the top of a model card, for Hugging Face's Hub: YAML between two lines of dashes.

Keys and their order follow https://huggingface.co/docs/hub/model-cards; figures go into its `model-index`.
"""

from pathlib import Path
from typing import Any

import yaml

from pipeline.evaluation.figures import is_figure
from pipeline.settings.embedded_data import EMBEDDED

# (layers, hidden size, experts) of the published models, by the names of their folders.
PUBLISHED = {"gpt-oss-20b": (24, 2880, 32), "gpt-oss-120b": (36, 2880, 128)}
# The Hub's names of figures, where they differ.
METRIC_TYPES = {"reward_accuracy": "accuracy", "preference_accuracy": "accuracy"}


def find_base(folder: str | None, config: dict[str, Any]) -> str | None:
    """Return the Hub's name of the model that was tuned; None if it is not a published model.

    It is one if its folder has the name of a published model, and its config.json has that model's shape.
    """
    name = Path(folder).name if folder else ""
    shape = tuple(config.get(key) for key in ("num_hidden_layers", "hidden_size", "num_local_experts"))
    return f"openai/{name}" if name in PUBLISHED and PUBLISHED[name] == shape else None


def is_all_own(settings: dict[str, Any]) -> bool:
    """Return whether both model and data are this project's own, and so under its licence."""
    return settings["model"]["folder"] is None and settings["data"]["raw"] in EMBEDDED


def find_licence(base: str | None, settings: dict[str, Any]) -> dict[str, str]:
    """Return the licence as the Hub names it: the base model's, or this project's if everything is its own."""
    if base:
        return {"license": "apache-2.0"}
    if is_all_own(settings):
        return {"license": "mit"}
    return {"license": "other", "license_name": "that-of-the-base-model-and-the-data"}


def list_metrics(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Return figures with a value as the metrics of a model-index; groups of figures and others are left out."""
    return [
        {
            "type": METRIC_TYPES.get(name, name),
            "name": name.replace("_", " "),
            "value": figure["value"],
            "args": {key: figure[key] for key in ("n", "low", "high") if figure.get(key) is not None},
            "verified": False,
        }
        for name, figure in figures.items()
        if is_figure(figure) and figure["value"] is not None
    ]


def list_results(evaluation: dict[str, Any], is_translation: bool) -> list[dict[str, Any]]:
    """Return the results of a model-index: of answers to held-out prompts, and of held-out pairs."""
    model = evaluation["models"][-1]
    tasks = {
        "answers": ("held-out prompts", "translation" if is_translation else "text-generation"),
        "pairs": ("held-out preference pairs", "text-generation"),
    }
    results = []
    for group, (dataset, task) in tasks.items():
        if metrics := list_metrics(evaluation.get(group, {}).get(model, {})):
            source = {"name": dataset, "type": dataset.replace(" ", "-"), "split": "held-out"}
            results.append({"task": {"type": task}, "dataset": source, "metrics": metrics})
    return results


def describe_metadata(
    run: str, settings: dict[str, Any], base: str | None, tags: list[str], evaluation: dict[str, Any]
) -> dict[str, Any]:
    """Return the metadata of a card; `settings` are those of the run."""
    languages = settings["data"]["languages"]
    metadata: dict[str, Any] = dict(find_licence(base, settings))
    metadata |= {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if languages:
        metadata["language"] = [languages["source"], languages["target"]]
    if base:
        metadata |= {"base_model": base, "base_model_relation": "finetune"}
    metadata["tags"] = tags
    if results := list_results(evaluation, bool(languages)):
        metadata["model-index"] = [{"name": run, "results": results}]
    return metadata


def render_metadata(metadata: dict[str, Any]) -> str:
    """Return the metadata as the text at the top of the card."""
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=1000)}---\n"
