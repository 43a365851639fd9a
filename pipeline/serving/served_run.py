"""What of a finished run is served: its model, and the prompt that its training saw."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files.json_lines import read_json_lines
from pipeline.launch.model_flags import model_flags
from pipeline.launch.plugins import EVERY_STAGE, plugin_flags
from pipeline.launch.run_swift import Prompt
from pipeline.models.model_folder import find_model_problem
from pipeline.serving.address import BASE, TUNED
from pipeline.serving.common_system import find_system
from pipeline.settings.flags import flag_words
from pipeline.settings.run_files import RunFiles

MAX_NEW_TOKENS = 2048  # of an answer whose request names no number
EXAMPLE_LENGTH = 80  # of a question on one line of a terminal


@dataclass(frozen=True)
class ServedRun:
    """The model of a run by its name in requests, perhaps with the adapter that makes it the tuned one."""

    folder: Path
    name: str
    adapter: Path | None
    prompt: Prompt
    system: str | None  # of requests without one
    question: str  # an example
    precision: dict[str, Any]  # flags of ms-swift, as in training

    @property
    def names(self) -> list[str]:
        """The names that a request can ask for."""
        return [self.name, *([TUNED] if self.adapter else [])]

    def flags(self) -> list[str]:
        """Return the flags of `swift deploy`."""
        return [
            *model_flags(self.folder),
            *("--served_model_name", self.name, "--load_args", "false"),
            *(["--adapters", f"{TUNED}={self.adapter}"] if self.adapter else []),
            *("--max_new_tokens", str(MAX_NEW_TOKENS), "--verbose", "false", "--log_interval", "-1"),
            *flag_words(self.precision),
            *plugin_flags(EVERY_STAGE),
        ]


def find_run(results: Path, run: str, with_base: bool) -> ServedRun:
    """Return the part of a run that is served: its merged model, or the model before DPO with the adapter.

    Stops with one line if the run has none.
    """
    files = RunFiles(results / run)
    adapter = results / run / "dpo" / "adapter"
    require_run(results, run, [files.in_force, files.val, *([adapter / "adapter_config.json"] if with_base else [])])
    in_force = json.loads(files.in_force.read_text(encoding="utf-8"))
    folder = find_start(adapter) if with_base else files.merged
    if problem := find_model_problem(folder):
        sys.exit(problem)
    turns = [row["messages"] for row in read_json_lines(files.val)]
    arguments, environment = in_force["arguments"], in_force["environment"]
    return ServedRun(
        folder=folder,
        name=BASE if with_base else TUNED,
        adapter=adapter if with_base else None,
        prompt={"date": environment["PROMPT_DATE"], "reasoning_effort": environment["REASONING_EFFORT"]},
        system=find_system(turns),
        question=find_question(turns),
        precision={name: arguments[name] for name in ("torch_dtype", "experts_impl")} | {"attn_impl": "eager"},
    )


def require_run(results: Path, run: str, files: list[Path]) -> None:
    """Stop with one line if a run has no merged model, or lacks one of these files."""
    if not (results / run / "merged").is_dir():
        there = ", ".join(sorted(folder.parent.name for folder in results.glob("*/merged"))) or "none"
        sys.exit(f"{results / run / 'merged'}: no such folder, so there is no tuned model; runs with one: {there}")
    for file in files:
        if not file.is_file():
            sys.exit(f"{file}: missing; run the training of {run}, or fetch its results with dvc pull")


def find_start(adapter: Path) -> Path:
    """Return the folder of the model that an adapter was trained on."""
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    return Path(config["base_model_name_or_path"])


def find_question(conversations: list[list[dict[str, Any]]]) -> str:
    """Return the first question that is short enough for an example."""
    asked = (turn["content"] for turns in conversations for turn in turns if turn["role"] == "user")
    return next((text for text in asked if len(text) <= EXAMPLE_LENGTH and "\n" not in text), "Hello")
