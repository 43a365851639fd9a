"""Translate a swift DPO command into settings of this project that train the same loss."""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.launch.plugins import CALLBACKS
from pipeline.settings.check import load_config, load_schema
from pipeline.settings.losses import kinds_with
from pipeline.swift_commands.flag_knowledge import OLD, PINNED, known_of, load_defaults
from pipeline.swift_commands.read_command import Command

# What scripts/train_dpo.py gives to every training, or takes from elsewhere than a setting.
ALWAYS_SET = {
    "add_version": "false",
    "check_model": "false",
    "strict": "true",
}
OWN_PLACES = ("output_dir", "resume_from_checkpoint")
OWN_NAMES = {
    "external_plugins": re.compile(r"(?:.*/)?plugins/\w+\.py"),
    "callbacks": re.compile("|".join(CALLBACKS)),
}
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
    name_leftovers(result, flags, release)
    result.settings = without_defaults(result.settings, load_config([]))
    return result


def renamed(flags: dict[str, list[str]], release: str) -> dict[str, list[str]]:
    """Return flags under their names in the pinned release, with the values of `release` under theirs."""
    result = {}
    for flag, values in flags.items():
        entry = known_of(flag)
        if release == OLD:
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


def as_bool(values: list[str]) -> bool | None:
    """Return the value of a switch; without a value it is on."""
    return {"": True, "true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
        " ".join(values).lower()
    )


def put_places(result: Translation, command: Command, flags: dict[str, list[str]], release: str) -> None:
    """Set where data, model and machine are, and the date of the prompt."""
    data = flags.get("dataset", [])
    if len(data) == 1 and "#" not in data[0] and not re.search(r"results/[^/]+/dpo/train\.jsonl$", data[0]):
        result.put("data", "raw", data[0])
        result.put("data", "languages", None)
    else:
        result.missing.append(f"--dataset {' '.join(data)}: data.raw names one file, folder or glob; set it")
    if "system" in flags:
        result.put("data", "system", " ".join(flags["system"]))
    ratio = number(last(flags, "split_dataset_ratio", "0"))
    if ratio:
        result.put("data", "val_fraction", ratio)
    if flags.get("model"):
        result.put("model", "folder", flags["model"][0])
    else:
        result.missing.append("--model: not in the command; set model.folder")
    if date := command.environment.get("PROMPT_DATE") or (DATE_OF_OLD if release == OLD else None):
        result.put("prompt", "date", date)
    else:
        result.missing.append(
            f"the date in the system prompt: {PINNED} writes the day of the run; prompt.date is fixed"
        )
    put_machine(result, command)


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
    used = (key for key in load_config([])["dpo"] if "dpo" in (kinds_with(key) or ("dpo",)))
    values = {key: defaults[key] for key in used if key in defaults}
    values = {key: known_of(key).get("resolved") if value is None else value for key, value in values.items()}
    pairs = fit(flags.get("per_device_train_batch_size", ["1"]), {"type": "integer", "minimum": 1})
    batch = math.prod(processes(command)) * (1 if pairs is ... else pairs)
    values["gradient_accumulation_steps"] = max(1, math.ceil(16 / batch))
    held_out = any(flag in flags for flag in ("val_dataset", "split_dataset_ratio"))
    values["eval_strategy"] = last(flags, "save_strategy", "steps") if held_out else "no"
    if release == OLD:
        # What 3.7.0 did with it, whatever it was told.
        values["router_aux_loss_coef"] = known_of("router_aux_loss_coef")["amounts_to"]
    return values


def put_training(result: Translation, command: Command, flags: dict[str, list[str]], release: str) -> None:
    """Set the section `dpo`, naming each value that its schema does not allow."""
    schema = load_schema()["properties"]["dpo"]["properties"]
    unasked = in_force(command, flags, release)
    for key, part in schema.items():
        fixed = release == OLD and "amounts_to" in known_of(key)
        if key in flags and not fixed:
            value, said = fit(flags[key], part), f"--{key} {' '.join(flags[key])}"
        elif key in unasked:
            allowed = Draft202012Validator(part).is_valid(unasked[key])
            value, said = unasked[key] if allowed else ..., f"--{key}, which is {unasked[key]} unasked"
        else:
            continue
        if value is ...:
            default = load_config([])["dpo"][key]
            result.missing.append(f"{said}: not a value of dpo.{key}, which stays {default}")
        else:
            result.put("dpo", key, value)
    if result.settings["dpo"].get("save_strategy") != "steps":
        result.put("dpo", "save_steps", None)  # 500 unasked, and unused


def fit(words: list[str], schema: dict[str, Any]) -> Any:
    """Return the words of a command line as the schema of a setting allows them; Ellipsis if it does not."""
    text = " ".join(words)
    readings = [text, words, number(text), as_bool(words), [number(word) for word in words], as_object(text)]
    read = [value for value in readings if value is not None]
    none = [None] if text.lower() in ("none", "null") else []
    allowed = Draft202012Validator(schema)
    return next((value for value in [*read, *none] if allowed.is_valid(value)), ...)


def as_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a text; None if the text is not one."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def number(text: str) -> int | float | str:
    """Return text as a whole or a finite number; unchanged, if it is not a number."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text) if math.isfinite(float(text)) else text
    except ValueError:
        return text


def last(flags: dict[str, list[str]], flag: str, default: str) -> str:
    """Return the last value of a flag; `default` without one."""
    return (flags.get(flag) or [default])[-1]


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


def name_leftovers(result: Translation, flags: dict[str, list[str]], release: str) -> None:
    """Name each flag that has become no setting."""
    sections = {"dataset", "model", "system", "split_dataset_ratio", "use_cpu", "report_to", "swanlab_mode"}
    settled = sections | {"swanlab_project", "swanlab_exp_name", *OWN_PLACES, *load_config([])["dpo"]}
    for flag, values in flags.items():
        said = f"--{flag} {' '.join(values)}".strip()
        if flag in settled or (flag in OWN_NAMES and all(map(OWN_NAMES[flag].fullmatch, values))):
            continue
        if flag in ALWAYS_SET:
            if values != [ALWAYS_SET[flag]]:
                result.missing.append(f"{said}: here it is always {ALWAYS_SET[flag]}")
        elif flag == "val_dataset":
            result.missing.append(f"{said}: here data.val_fraction of the prompts in data.raw is held out")
        elif flag not in load_defaults(release) and flag not in load_defaults(PINNED):
            result.missing.append(f"{said}: not a flag of swift rlhf")
        elif number(" ".join(values)) != load_defaults(PINNED).get(flag, ...):
            result.missing.append(f"{said}: no setting of this project")


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
