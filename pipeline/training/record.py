"""What a training leaves behind: its checkpoints, and what is published from the last of them."""

import json
import os
import re
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.files.json_files import write_json
from pipeline.files.json_lines import read_json_lines

PACKAGES = ("ms-swift", "torch", "transformers", "peft", "trl", "deepspeed", "accelerate", "swanlab")
# Keys of ms-swift's log that hold times or repeat the step; a curve is the same on every day.
NOT_CURVES = ("global_step/max_steps", "elapsed_time", "remaining_time", "train_speed(s/it)", "memory(GiB)")
TIMES = ("_runtime", "_per_second")
# As JSON, and within the text of ms-swift's training_args.
RESUMED = re.compile(r"""("resume_from_checkpoint": |\bresume_from_checkpoint=)(?:"[^"]*"|'[^']*')""")


def read_curves(log: Path) -> list[dict[str, Any]]:
    """Return the rows of ms-swift's logging.jsonl without times: a row a step, training before held-out.

    A resumed training repeats the steps after its checkpoint; the last row of a step is the one that counts.
    """
    rows: dict[tuple[int, bool], dict[str, Any]] = {}
    for row in read_json_lines(log):
        if "global_step/max_steps" not in row or "train_runtime" in row:
            continue
        step = int(row["global_step/max_steps"].split("/")[0])
        kept = {k: v for k, v in row.items() if k not in NOT_CURVES and not k.endswith(TIMES)}
        rows[step, "eval_loss" in row] = {"step": step} | kept
    return [rows[key] for key in sorted(rows)]


def read_settings(
    checkpoint: Path, command: list[str], environment: dict[str, str], told: dict[str, Any]
) -> dict[str, Any]:
    """Return all that was in force: the command, what plugins were told, ms-swift's record of every argument, versions.

    Paths below the working folder become relative, and where a stopped run went on is left out, as is the digest in
    the name of the checkpoints' folder: two clones, an undisturbed run and a resumed one, and two processors on which
    the model comes out differently, write the same bytes.
    """
    here, digest = f"{Path.cwd()}{os.sep}", f"{os.sep}{checkpoint.parent.name}"
    arguments = (checkpoint / "args.json").read_text(encoding="utf-8").replace(here, "").replace(digest, "")
    arguments = RESUMED.sub(lambda match: f"{match[1]}{'null' if match[1].endswith(' ') else 'None'}", arguments)
    return {
        "command": ["swift", *(word.replace(digest, "") for word in command)],
        "environment": environment,
        "contract": told,
        "versions": {name: version(name) for name in PACKAGES},
        "arguments": json.loads(arguments),
    }


def differing_flags(flags: list[str], in_force: dict[str, Any]) -> list[str]:
    """Return in words which flags have another value in ms-swift's own record than they were given."""
    given: dict[str, list[str]] = {}
    for word in flags:
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            values = given.setdefault(name, [value] if value else [])
        else:
            values.append(word)
    return [
        f"{name}: {' '.join(words)} became {in_force.get(name, 'unknown')}"
        for name, words in given.items()
        if not is_same(words, in_force.get(name, ...))
    ]


def is_same(words: list[str], value: Any) -> bool:
    """Return whether words of a command line mean a value. DeepSpeed's settings are meant by their ZeRO stage."""
    if isinstance(value, dict) and "zero_optimization" in value:
        return f"zero{value['zero_optimization']['stage']}" == words[0].partition("_")[0]
    if isinstance(value, dict):
        return bool(json.loads(words[0]) == value)
    values = value if isinstance(value, list) else [value]
    return len(values) == len(words) and all(as_number(w) == as_number(v) for w, v in zip(words, values, strict=True))


def as_number(value: Any) -> Any:
    """Return a number for what is one, and text in small letters for everything else."""
    text = str(value).lower()
    try:
        return float(text)
    except ValueError:
        return text


def copy_adapter(checkpoint: Path, adapter: Path, model: Path) -> None:
    """Copy the adapter of a checkpoint into a folder of its own, the same bytes on every machine."""
    shutil.rmtree(adapter, ignore_errors=True)
    adapter.mkdir(parents=True)
    shutil.copyfile(checkpoint / "adapter_model.safetensors", adapter / "adapter_model.safetensors")
    config = json.loads((checkpoint / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = str(model)
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()  # peft keeps a set, whose order changes from process to process
    write_json(adapter / "adapter_config.json", config)
