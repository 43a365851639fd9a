"""The points of a sweep: the runs of the graph, and the settings of each.

A run of a point is named by what the sweep sets: `tiny-beta=0.05-learning_rate=0.001`. Points that differ in `infer`
alone share a training. Without a sweep there is one point, the run itself.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.settings.flags import as_text

Config = dict[str, Any]
Values = dict[str, Any]  # by dotted setting
Entry = tuple[str | None, Values]  # with the name that was given, if any

SECTIONS = ("dpo", "infer")
OVERLAYS = "write an overlay for each value"
PAIRS = f"decides which pairs are trained, and all points share those; {OVERLAYS}"
PLACE = "decides where answers are made, not which; set it for all points, outside the sweep"
FIXED = {
    "dpo.max_length": PAIRS,
    "dpo.truncation_strategy": PAIRS,
    "dpo.loss_scale": PAIRS,
    "infer.backend": PLACE,
    "infer.gpus": PLACE,
    "infer.shards": PLACE,
    "infer.prompts": "names the prompts, and all points answer those; set it for all points, outside the sweep",
}
LONGEST_RUN = 120  # characters; a path with its record must fit into a file's name (write_dvc_yaml.record_of)


@dataclass(frozen=True)
class Point:
    """One run of a sweep, or the run where there is none."""

    name: str
    run: str  # its answers are in results/<run>/
    training: str  # its adapter, curves and merged model are in results/<training>/
    changes: Values  # what differs from the shared settings
    values: Values  # of every setting that any point of the sweep sets


def list_points(config: Config) -> list[Point]:
    """Return the points of the sweep, in its order. The settings must have passed find_sweep_problems."""
    shared = config["run"]
    if not config["sweep"]:
        return [Point(name=shared, run=shared, training=shared, changes={}, values={})]
    entries = list_entries(config["sweep"])
    swept = list_swept(config["sweep"])
    return [
        Point(
            name=(name := given or name_values(changes, swept)),
            run=f"{shared}-{name}",
            training=name_training(shared, changes, entries, swept),
            changes=changes,
            values={setting: changes.get(setting, value_of(config, setting)) for setting in swept},
        )
        for given, changes in entries
    ]


def list_entries(sweep: Config) -> list[Entry]:
    """Return the given name, if any, and the values of each point. The last setting of a grid varies fastest."""
    if grid := sweep.get("grid"):
        return [(None, dict(sorted(zip(grid, values, strict=True)))) for values in itertools.product(*grid.values())]
    entries = [dict(entry) for entry in sweep["list"]]
    return [(entry.pop("name", None), dict(sorted(entry.items()))) for entry in entries]


def list_swept(sweep: Config) -> list[str]:
    """Return every setting that the sweep sets at some point."""
    return sorted({setting for _, changes in list_entries(sweep) for setting in changes})


def name_values(changes: Values, swept: list[str]) -> str:
    """Return a name that says the values. The section is left out unless two of them have such a setting."""
    common = Counter(setting.rpartition(".")[2] for setting in swept)
    words = []
    for setting, value in changes.items():
        short = setting.rpartition(".")[2]
        words.append(f"{short if common[short] == 1 else setting}={as_name(value)}")
    return "-".join(words)


def as_name(value: Any) -> str:
    """Return a value as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", as_cell(value))


def as_cell(value: Any) -> str:
    """Return a value as YAML would have it in one word, a list as its words."""
    if isinstance(value, list):
        return " ".join(map(as_cell, value))
    return "null" if value is None else as_text(value)


def name_training(shared: str, changes: Values, entries: list[Entry], swept: list[str]) -> str:
    """Return the run that trains all points with the same values in `dpo`: the point with no others, if there is."""
    dpo = only_dpo(changes)
    if not dpo:
        return shared
    given = next((name for name, others in entries if others == dpo), None)
    return f"{shared}-{given or name_values(dpo, swept)}"


def only_dpo(changes: Values) -> Values:
    """Return the values that a training depends on."""
    return {setting: value for setting, value in changes.items() if setting.startswith("dpo.")}


def value_of(config: Config, setting: str) -> Any:
    """Return the value of a dotted setting, None if there is no such setting."""
    section, _, key = setting.partition(".")
    return config[section].get(key)


def apply_changes(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return the settings of a plain run, with these values."""
    # In one order, wherever a setting is from: Snakemake puts those of overlays first.
    settings = config | {section: dict(sorted(config[section].items())) for section in SECTIONS} | {"sweep": None}
    for setting, value in changes.items():
        section, _, key = setting.partition(".")
        settings[section][key] = value
    return settings


def settings_by_run(config: Config, points: list[Point]) -> dict[str, Config]:
    """Return the settings of every run that the graph has: of the points, their trainings, and what they share."""
    runs = {}
    for point in points:
        runs[point.run] = apply_changes(config, point.changes)
        runs[point.training] = apply_changes(config, only_dpo(point.changes))
    return runs | {config["run"]: config}


def find_sweep_problems(config: Config) -> list[str]:
    """Return one line for each problem of a sweep that has the form of the schema; values are not looked at."""
    return refuse_settings(list_swept(config["sweep"])) or [
        *find_duplicates(points := list_points(config)),
        *find_bad_names(config["run"], points),
    ]


def refuse_settings(swept: list[str]) -> list[str]:
    """Return one line for each setting that points cannot differ in."""
    problems = []
    for setting in swept:
        if setting.partition(".")[0] not in SECTIONS or "." not in setting:
            problems.append(f"sweep: {setting}: points differ in settings of dpo and infer, no others; {OVERLAYS}")
        elif setting in FIXED:
            problems.append(f"sweep: {setting}: {FIXED[setting]}")
    return problems


def find_duplicates(points: list[Point]) -> Iterator[str]:
    """Yield one line for each point whose settings are those of a point before it."""
    seen: list[Values] = []
    for point in points:
        if point.values in seen:
            yield f"sweep: {point.name} has the settings of {points[seen.index(point.values)].name}; drop one of them"
        seen.append(point.values)


def find_bad_names(shared: str, points: list[Point]) -> Iterator[str]:
    """Yield one line for each run whose name is too long, or differs from another's in punctuation at most."""
    fix = "use a list, and give the points names"
    seen: dict[str, tuple[str, Values]] = {}
    for point in points:
        for run, changes in {point.training: only_dpo(point.changes), point.run: point.changes}.items():
            if len(run) > LONGEST_RUN:
                yield f"sweep: {point.name}: the run's name has {len(run)} characters, {LONGEST_RUN} fit; {fix}"
            folded = re.sub(r"[^A-Za-z0-9]", "_", run)  # what is left of it in the name of a stage of DVC
            if run != shared and seen.setdefault(folded, (run, changes)) != (run, changes):
                yield f"sweep: {point.name}: another point has this name, up to its punctuation; {fix}"
