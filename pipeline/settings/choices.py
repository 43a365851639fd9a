"""Settings that were chosen for a user, and the overlay that holds them with the reasons."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Settings = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """A setting that was chosen, by its dotted name, and why."""

    name: str
    value: Any
    why: str = ""


def apply_choices(settings: Settings, choices: list[Choice]) -> Settings:
    """Return settings with those that were chosen."""
    for choice in choices:
        section, _, name = choice.name.partition(".")
        old = settings.get(section, {})
        settings = settings | {section: old | {name: choice.value} if name else choice.value}
    return settings


def render_overlay(head: list[str], recipe: Path, choices: list[Choice]) -> str:
    """Return the text of an overlay: a head, and the settings of a recipe with those that were chosen and why."""
    why = {choice.name: choice.why for choice in choices}
    said = f"The settings of {recipe}, which has the reason for each; a comment here is that of a choice."
    lines = [f"# {line}" for line in (*head, said)]
    settings = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    for section, values in apply_choices(settings, choices).items():
        if not isinstance(values, dict):
            lines += ["", f"{section}: {as_yaml(values)}"]
            continue
        lines += ["", f"{section}:"]
        for key, value in values.items():
            reason = why.get(f"{section}.{key}")
            lines += [*([f"  # {reason}"] if reason else []), f"  {key}: {as_yaml(value)}"]
    return "\n".join(lines) + "\n"


def as_yaml(value: Any) -> str:
    """Return a value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("...\n").strip()
