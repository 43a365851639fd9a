"""Check settings against schemas/config.schema.yaml; each message names the key, the fault and the fix.

The Snakefile calls check_config() on the merged settings; by hand: python -m tools.check_config.
"""

import difflib
import math
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import ValidationError

from pipeline.settings.command_size import find_size_problems
from pipeline.settings.data_problems import find_data_problems
from pipeline.settings.external_results import find_external_problems
from pipeline.settings.infer_problems import find_infer_problems
from pipeline.settings.levers import find_fast_problems, find_small_problems
from pipeline.settings.loss_problems import find_loss_problems
from pipeline.settings.losses import has_reference
from pipeline.settings.merge_format import find_merge_problems
from pipeline.settings.own_figures import find_own_problems
from pipeline.settings.resources import count_processes
from pipeline.settings.strict_yaml import read_settings
from pipeline.settings.sweep import apply_changes, find_sweep_problems, list_points
from pipeline.settings.validator import SettingsValidator

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
CONFIG = Path(__file__).parents[2] / "config.yaml"
COMMAND_LINE = "--config"
AS_TEXT = re.compile(r"(.*: '.*') is (?:text, not a number;|not of type )")
IN_A_FILE = "write the setting into a file, and name that with --configfile"


@cache
def load_schema() -> dict[str, Any]:
    """Return the schema of the settings, read once: reading it takes as long as planning the graph."""
    schema: dict[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return schema


def list_keys(schema: dict[str, Any], prefix: str = "") -> list[str]:
    """Return every known setting as a dotted path, sections included."""
    keys = []
    for name, part in schema.get("properties", {}).items():
        keys += [f"{prefix}{name}", *list_keys(part, f"{prefix}{name}.")]
    return keys


def nearest_key(unknown: str, known: list[str]) -> str | None:
    """Return the known setting that is spelt most like `unknown`, in any section."""
    name = unknown.rpartition(".")[2]
    by_name = {key.rpartition(".")[2]: key for key in reversed(known)}
    close = difflib.get_close_matches(unknown, known, n=1, cutoff=0.8)
    close = close or [by_name[match] for match in difflib.get_close_matches(name, by_name, n=1)]
    return close[0] if close else None


def explain(error: ValidationError, known: list[str]) -> Iterator[str]:
    """Yield one line for each fault in a schema error."""
    path = ".".join(map(as_word, error.absolute_path))
    instance: Any = error.instance
    schema: Any = error.schema
    value: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            section = f"{path}." if path else ""
            for name in sorted(map(as_word, set(instance) - set(schema["properties"]))):
                near = nearest_key(f"{section}{name}", known)
                fix = f"did you mean {near}?" if near else "see docs/configuration.md"
                yield f"{section}{name}: unknown setting; {fix}"
        case "required":
            missing = sorted(set(value) - set(instance))
            yield f"{path or 'the settings'}: {', '.join(missing)} missing; config.yaml has the usual value"
        case "type" if isinstance(instance, str) and is_number(instance):
            number = f"{float(instance):g}"
            yield f"{path}: '{instance}' is text, not a number; write {yaml_number(number)}"
        case "type" if isinstance(instance, float) and not math.isfinite(instance):
            yield f"{path}: {instance!r} is not a finite number; write one"
        case "type" if is_whole_float(instance) and "integer" in value:
            yield f"{path}: {instance!r} is not written as a whole number; write {int(instance)}"
        case "minProperties" | "maxProperties" if (
            "properties" in schema and schema.get("additionalProperties") is False
        ):
            yield f"{path}: needs exactly one of {', '.join(schema['properties'])}"
        case "pattern" | "format":
            yield f"{path}: {error.message}"
        case _:
            yield f"{path}: {error.message}; see docs/configuration.md"


def is_number(text: str) -> bool:
    """Say whether the text is a number that YAML reads as text: quoted, or with an exponent but no point."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def as_word(key: Any) -> str:
    """Return a key as a message names it; what is not a text that can be printed as Python writes it."""
    return key if isinstance(key, str) and key.isprintable() else repr(key)


def is_whole_float(value: Any) -> bool:
    """Say whether a value is a whole number that is written with a point."""
    return isinstance(value, float) and value.is_integer()


def yaml_number(number: str) -> str:
    """Return a number as YAML 1.1 reads it: an exponent needs a point before it."""
    mantissa, exponent, power = number.partition("e")
    return f"{mantissa}.0e{power}" if exponent and "." not in mantissa else number


def find_problems(config: dict[str, Any]) -> list[str]:
    """Return one line for each problem of the settings and of the points of a sweep."""
    problems = find_run_problems(config)
    if problems or not config["sweep"]:
        return problems
    return find_sweep_problems(config) or find_point_problems(config)


def find_point_problems(config: dict[str, Any]) -> list[str]:
    """Return one line for each problem that the points' settings have, with the first point that has it."""
    first: dict[str, str] = {}
    for point in list_points(config):
        for problem in find_run_problems(apply_changes(config, point.changes)):
            first.setdefault(problem, point.name)
    return [f"sweep: point {name}: {problem}" for problem, name in first.items()]


def find_run_problems(config: dict[str, Any]) -> list[str]:
    """Return one line for each problem of the settings of one run; the sweep is not looked at."""
    schema = load_schema()
    known = list_keys(schema)
    errors = sorted(SettingsValidator(schema).iter_errors(config), key=lambda e: e.json_path)
    problems = [line for error in errors for line in explain(error, known)]
    if problems:
        return problems
    tiny = config["model"]["tiny"]
    if tiny["attention_heads"] % tiny["key_value_heads"]:
        problems.append("model.tiny.key_value_heads: must divide model.tiny.attention_heads")
    if tiny["experts_per_token"] > tiny["experts"]:
        problems.append("model.tiny.experts_per_token: must not exceed model.tiny.experts")
    if config["model"]["random"] and config["model"]["folder"]:
        problems.append(
            "model.random: not used if model.folder names a model; set model.random to false, or model.folder to null"
        )
    if config["tracking"]["host"] and config["tracking"]["mode"] != "cloud":
        problems.append("tracking.host: only used with tracking.mode cloud; set that mode, or tracking.host to null")
    if config["dpo"]["target_parameters"] and config["dpo"]["lora_dropout"]:
        problems.append(
            "dpo.lora_dropout: must be 0 with dpo.target_parameters; a LoRA of bare parameters has no dropout"
        )
    if config["sft"]["join"] == "stacked" and not has_reference(config["dpo"]["rlhf_type"]):
        problems.append("sft.join: stacked needs a reference model, and this dpo.rlhf_type has none; set merged")
    if (config["dpo"]["save_strategy"] == "steps") != (config["dpo"]["save_steps"] is not None):
        problems.append("dpo.save_steps: must be a number with dpo.save_strategy steps, and null with epoch")
    problems += [
        *find_size_problems(config),
        *find_data_problems(config["data"]),
        *find_fast_problems(config),
        *find_small_problems(config),
        *find_infer_problems(config),
    ]
    problems += find_merge_problems(config)
    problems += [*find_own_problems(config["evaluate"]["own"]), *find_external_problems(config)]
    return problems + find_loss_problems(config["dpo"], count_processes(config["train"]))


def value_at(settings: Any, keys: list[str]) -> Any:
    """Return the value that nested settings have under these keys, or Ellipsis without one."""
    for key in keys:
        settings = settings.get(key, ...) if isinstance(settings, dict) else ...
    return settings


def where_set(problem: str, config: dict[str, Any], files: list[Path]) -> str:
    """Return where the setting of a problem was set: the last file with this value, or the command line."""
    keys = problem.partition(":")[0].split(".")
    while (merged := value_at(config, keys)) is ...:  # a setting within a sweep has points in its name
        keys.pop()
    for file in reversed(files):
        value = value_at(read_settings(file), keys)
        if value is not ... and (is_same(value, merged) or (isinstance(value, dict) and isinstance(merged, dict))):
            return os.path.relpath(file)
    return COMMAND_LINE


def is_same(value: Any, merged: Any) -> bool:
    """Say whether two settings are the same; NaN equals nothing, not even itself."""
    return bool(value == merged or (value != value and merged != merged))


def say_problem(problem: str, config: dict[str, Any], files: list[Path]) -> str:
    """Return a problem with the place where its setting was set."""
    place = where_set(problem, config, files)
    if place == COMMAND_LINE and (found := AS_TEXT.match(problem)):
        return f"{place}: {found[1]} is text, as all that Snakemake reads there in braces; {IN_A_FILE}"
    return f"{place}: {problem}"


def check_config(config: dict[str, Any], files: list[Path]) -> None:
    """Stop with one line for each problem of the settings that were merged from `files`, or of a file as such."""
    for file in files:
        read_settings(Path(os.path.relpath(file)))
    if problems := find_problems(config):
        sys.exit("\n".join(say_problem(problem, config, files) for problem in problems))


def load_checked(overlays: list[Path]) -> dict[str, Any]:
    """Return config.yaml with the overlays merged over it; stop with one line for each problem of the settings."""
    config = load_config(overlays)
    check_config(config, [CONFIG, *overlays])
    return config


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `overlay`, section by section, as Snakemake merges them."""
    merged = dict(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def load_config(overlays: list[Path]) -> dict[str, Any]:
    """Return config.yaml with the overlays merged over it."""
    config: dict[str, Any] = {}
    for file in [CONFIG, *overlays]:
        config = merge(config, read_settings(file))
    return config
