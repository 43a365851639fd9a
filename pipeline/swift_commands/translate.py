"""Translate a swift command for pairs into settings of this project that train the same loss."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.settings.check import load_config, load_schema
from pipeline.settings.losses import LOSSES, kinds_with
from pipeline.swift_commands.flag_knowledge import OLD, PINNED, as_bool, known_of, load_defaults, number_of
from pipeline.swift_commands.leftovers import is_own_file, list_environment_left, list_flags_left
from pipeline.swift_commands.read_command import Command
from pipeline.swift_commands.values import fit, last, number

SOURCE = re.compile(r"[^#]+(#[1-9]\d*)?")
DATE_OF_OLD = "2025-08-06"


@dataclass
class Translation:
    """Settings that differ from config.yaml, by section, and what no setting expresses, a line each."""

    settings: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def put(self, section: str, key: str, value: Any) -> None:
        """Set one setting."""
        self.settings.setdefault(section, {})[key] = value


def translate(command: Command, release: str, run: str) -> Translation:
    """Return the settings under which the pinned release trains what `command` trains under `release`.

    `run` names the run. Values are those that the command has, or that its release takes unasked.
    """
    flags = renamed(command.flags, release)
    result = Translation({"run": run})
    put_places(result, command, flags, release)
    put_training(result, command, flags, release)
    put_tracking(result, command, flags, release)
    put_rest(result, command, flags)
    result.missing += [*list_flags_left(flags, command, release), *list_environment_left(command)]
    result.settings = without_defaults(result.settings, load_config([]))
    return result


def renamed(flags: dict[str, list[str]], release: str) -> dict[str, list[str]]:
    """Return flags under their names in the pinned release, with the values of `release` under theirs."""
    result = {}
    for flag, values in flags.items():
        entry = known_of(flag)
        if release != PINNED:
            values = [entry.get("values", {}).get(value, value) for value in values]
        result[entry.get("renamed", flag)] = values
    return result


def processes(command: Command) -> tuple[int, int]:
    """Return how many processes train on each machine, and on how many; ValueError where they are not numbers."""
    counts = [command.environment.get(name, "1") for name in ("NPROC_PER_NODE", "NNODES")]
    if not all(count.isdecimal() and int(count) for count in counts):
        raise ValueError(f"NPROC_PER_NODE and NNODES are {' and '.join(counts)}; write numbers above 0")
    return int(counts[0]), int(counts[1])


def on_cpu(command: Command) -> bool:
    """Say whether a command trains on the CPU: by its flag, or by what this project sets for that."""
    asked = command.flags.get("use_cpu", ["false"])
    return as_bool(asked) is True or command.environment.get("DS_ACCELERATOR") == "cpu"


def put_places(result: Translation, command: Command, flags: dict[str, list[str]], release: str) -> None:
    """Set where data, model and machine are, and the date of the prompt."""
    put_data(result, command, flags, release)
    model = flags.get("model", [])
    if len(model) == 1 and model[0] and model[0] not in command.unknown:
        result.put("model", "folder", model[0])
    else:
        said = f"--model {' '.join(model)}" if model else "--model: not in the command"
        result.missing.append(f"{said}; set model.folder")
    result.put("model", "weights", "bfloat16")  # as swift trains them
    oldest = number_of(release) <= number_of(OLD)
    if date := command.environment.get("PROMPT_DATE") or (DATE_OF_OLD if oldest else None):
        result.put("prompt", "date", date)
    else:
        result.missing.append(
            f"the date in the system prompt: {release} writes the day of the run; prompt.date is fixed"
        )
    put_machine(result, command)


def put_data(result: Translation, command: Command, flags: dict[str, list[str]], release: str) -> None:
    """Set the section `data`."""
    data, val = flags.get("dataset", []), flags.get("val_dataset", [])
    own = re.search(r"results/[^/]+/dpo/train\.jsonl$", data[0]) if data else None
    if data and not own and all(SOURCE.fullmatch(name) and name not in command.unknown for name in data):
        sources = [as_source(name) for name in data]
        result.put("data", "raw", sources[0] if isinstance(sources[0], str) and len(sources) == 1 else sources)
        result.put("data", "languages", None)
        result.put("evaluate", "own", [])  # those of config.yaml are of its own data
        result.missing += filter(None, map(say_source, data))
    else:
        said = f"--dataset {' '.join(data)}" if data else "--dataset: not in the command"
        result.missing.append(f"{said}: data.raw names files, folders or globs; set it")
    if is_own_file(val, command):
        result.put("data", "val", val[0])
    put_system(result, command, flags)
    ratio = number(last(flags, "split_dataset_ratio", str(load_defaults(release).get("split_dataset_ratio", 0))))
    if ratio and "val_dataset" not in flags:
        result.put("data", "val_fraction", ratio)


def as_source(name: str) -> str | dict[str, Any]:
    """Return a data set of swift, such as a.jsonl or a.jsonl#500, as an entry of data.raw."""
    file, _, limit = name.partition("#")
    return {"file": file, "limit": int(limit)} if limit else file


def say_source(name: str) -> str | None:
    """Return how an entry of data.raw differs from what swift takes."""
    file, _, limit = name.partition("#")
    if not Path(file).suffix and not Path(file).exists():
        return f"--dataset {name}: no such folder here; a data set of a hub must be downloaded"
    if limit:
        return f"--dataset {name}: data.split_seed draws other rows than swift, and none twice"
    return None


def put_system(result: Translation, command: Command, flags: dict[str, list[str]]) -> None:
    """Set the system message, which swift reads from a file whose name ends with .txt."""
    values = [value for value in flags.get("system", []) if value]
    said = f"--system {' '.join(values)}"
    if len(values) != 1 or values[0] in command.unknown:
        result.missing += [f"{said}: set data.system"] if values else []
    elif values[0].endswith(".txt"):
        try:
            result.put("data", "system", Path(values[0]).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            result.missing.append(f"{said}: swift reads this file, which is not here, or not UTF-8; set data.system")
    else:
        result.put("data", "system", values[0].replace("\\n", "\n"))


def put_machine(result: Translation, command: Command) -> None:
    """Set what the training is launched on."""
    each, machines = processes(command)
    result.put("train", "nodes", machines)
    result.put("train", "gpus", 0)
    result.put("train", "cpu_processes" if on_cpu(command) else "gpus", each)
    visible = command.environment.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if len(visible) > 1 and "NPROC_PER_NODE" not in command.environment:
        result.missing.append(f"no NPROC_PER_NODE: one process over {len(visible)} GPUs; here each GPU has its own")


def in_force(command: Command, flags: dict[str, list[str]], release: str) -> dict[str, Any]:
    """Return the release's own values of the settings of `dpo` that the command does not name."""
    defaults = load_defaults(PINNED) | load_defaults(release)
    kind = kind_of(flags)
    used = (key for key in load_config([])["dpo"] if kind in (kinds_with(key) or (kind,)))
    values = {key: defaults[key] for key in used if key in defaults}
    values = {key: resolved(key, kind) if value is None else value for key, value in values.items()}
    pairs = fit(flags.get("per_device_train_batch_size", ["1"]), {"type": "integer", "minimum": 1})
    batch = math.prod(processes(command)) * (1 if pairs is ... else pairs)
    values["gradient_accumulation_steps"] = max(1, math.ceil(16 / batch))
    held_out = "val_dataset" in flags or "split_dataset_ratio" in flags or defaults["split_dataset_ratio"]
    values["eval_strategy"] = last(flags, "save_strategy", "steps") if held_out else "no"
    if is_old(release):
        # What 3.7.0 did with it, whatever it was told.
        values["router_aux_loss_coef"] = known_of("router_aux_loss_coef")["amounts_to"]
    return values


def kind_of(flags: dict[str, list[str]]) -> str:
    """Return the kind of training."""
    return last(flags, "rlhf_type", "dpo")


def resolved(flag: str, kind: str) -> Any:
    """Return the value that the trainer takes where a flag's default is null."""
    entry = known_of(flag)
    return entry.get("resolved_for", {}).get(kind, entry.get("resolved"))


def is_old(release: str) -> bool:
    """Say whether a release is 3.7 or older."""
    return number_of(release)[:2] <= number_of(OLD)[:2]


def without_part(key: str, values: list[str], flags: dict[str, list[str]]) -> bool:
    """Say whether a flag of the loss has no part in it, given the kind of training and its losses."""
    kind = kind_of(flags)
    if key == "loss_type":
        return kind == "orpo"
    if key == "label_smoothing":
        losses = [] if kind == "orpo" else flags.get("loss_type") or [resolved("loss_type", kind)]
        return bool(number(" ".join(values))) and not any(LOSSES[name].is_smoothed for name in losses if name in LOSSES)
    return kind not in (kinds_with(key) or (kind,))


def put_training(result: Translation, command: Command, flags: dict[str, list[str]], release: str) -> None:
    """Set the section `dpo`, naming each value that its schema does not allow."""
    schema = load_schema()["properties"]["dpo"]["properties"]
    unasked = in_force(command, flags, release)
    for key, part in schema.items():
        fixed = is_old(release) and "amounts_to" in known_of(key)
        if key in flags and without_part(key, flags[key], flags):
            result.missing.append(f"--{key} {' '.join(flags[key])}: no part in this loss")
            result.put("dpo", key, 0 if key == "label_smoothing" else None)
            continue
        if key in flags and not fixed:
            known = not command.unknown.keys() & set(flags[key])
            value, said = fit(flags[key], part) if known else ..., f"--{key} {' '.join(flags[key])}"
        elif key in unasked:
            allowed = Draft202012Validator(part).is_valid(unasked[key])
            value, said = unasked[key] if allowed else ..., f"--{key}, which is {unasked[key]} unasked"
        elif kind_of(flags) not in (kinds_with(key) or (kind_of(flags),)):
            value = None  # config.yaml may have a value, which is another loss's
        else:
            continue
        if value is ...:
            default = load_config([])["dpo"][key]
            result.missing.append(f"{said}: not a value of dpo.{key}, which stays {default}")
        else:
            result.put("dpo", key, value)
    if result.settings["dpo"].get("save_strategy") != "steps":
        result.put("dpo", "save_steps", None)  # 500 unasked, and unused


def put_tracking(result: Translation, command: Command, flags: dict[str, list[str]], release: str) -> None:
    """Set the section `tracking`."""
    reported = flags.get("report_to", ["tensorboard"])
    asked = last(flags, "swanlab_mode", "cloud") if "swanlab" in reported else "disabled"
    mode = command.environment.get("TRACKING_MODE", asked)
    result.put("tracking", "mode", "cloud" if mode == "online" else mode)
    if others := [name for name in reported if name not in ("swanlab", "none")]:
        result.missing.append(f"--report_to {' '.join(others)}: only SwanLab; the curves are files in any case")
    if mode != "disabled":
        project = last(flags, "swanlab_project", load_defaults(release)["swanlab_project"])
        if project:
            result.put("tracking", "project", project)
        else:
            result.missing.append("--swanlab_project: not in the command; set tracking.project")
        if host := command.environment.get("SWANLAB_API_HOST"):
            result.put("tracking", "host", host)


def put_rest(result: Translation, command: Command, flags: dict[str, list[str]]) -> None:
    """Set what the command is silent on and a real run needs: how the merged model answers, and what DVC keeps."""
    if on_cpu(command):
        return
    longest = result.settings["dpo"].get("max_length", 2048)
    result.settings["infer"] = {
        "gpus": 1,
        "max_new_tokens": min(2048, longest),
        "max_batch_size": 1,
        "torch_dtype": result.settings["dpo"].get("torch_dtype", "bfloat16"),
    }
    result.put("dvc", "push_merged", False)


def without_defaults(settings: Any, base: Any) -> Any:
    """Return the settings that differ from `base`, section by section."""
    kept = {}
    for key, value in settings.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            if part := without_defaults(value, base[key]):
                kept[key] = part
        elif value != base.get(key, ...) or key == "run":
            kept[key] = value
    return kept
