"""What a training leaves behind: its checkpoints, and what is published from the last of them."""

import ast
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
# ms-swift's record has some objects as Python writes them, where a path is a literal: 'a' or "it's a".
LITERAL = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
RESUMED = "resume_from_checkpoint"
RESUMED_LITERAL = re.compile(rf"\b{RESUMED}={LITERAL}")


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
    left_out = f"{Path.cwd()}{os.sep}", f"{os.sep}{checkpoint.parent.name}"
    arguments = json.loads((checkpoint / "args.json").read_text(encoding="utf-8"))
    return {
        "command": ["swift", *(word.replace(left_out[1], "") for word in command)],
        "environment": environment,
        "contract": told,
        "versions": {name: version(name) for name in PACKAGES},
        "arguments": leave_out(arguments, left_out),
    }


def leave_out(value: Any, parts: tuple[str, ...]) -> Any:
    """Return a value of the record without parts of paths, and without the checkpoint where a stopped run went on."""
    if isinstance(value, dict):
        return {name: None if name == RESUMED else leave_out(item, parts) for name, item in value.items()}
    if isinstance(value, list):
        return [leave_out(item, parts) for item in value]
    if not isinstance(value, str):
        return value
    text = re.sub(
        LITERAL, lambda match: shorten_literal(match[0], parts), RESUMED_LITERAL.sub(f"{RESUMED}=None", value)
    )
    return leave_out_of_text(text, parts)


def shorten_literal(literal: str, parts: tuple[str, ...]) -> str:
    """Return the literal of a text without these parts, with the quotes that Python gives the shorter text."""
    try:
        text = ast.literal_eval(literal)
    except (SyntaxError, ValueError):  # quotes in a sentence
        return literal
    shorter = leave_out_of_text(text, parts)
    return literal if shorter == text else repr(shorter)


def leave_out_of_text(text: str, parts: tuple[str, ...]) -> str:
    """Return a text without these parts."""
    for part in parts:
        text = text.replace(part, "")
    return text


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
