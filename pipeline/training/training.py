"""A training as its rule asks for it: its settings, what it reads, and where its results go."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files.folder_manifest import manifest_beside
from pipeline.files.json_files import run_digest
from pipeline.launch.plugins import training_plugins
from pipeline.settings.flags import flag_words
from pipeline.settings.resources import count_processes
from pipeline.settings.stage import stage_parser


def training_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all trainings have; their names are those of the fields of Training."""
    parser = stage_parser(doc, out="the adapter, its curves, settings and gates; logs go to ../logs beside it")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model to tune")
    parser.add_argument("--manifest", type=Path, required=True, help="SHA-256 of the model's files")
    say = "rows to train on, and held-out rows"
    parser.add_argument("--pairs", type=Path, nargs=2, required=True, metavar=("TRAIN", "VAL"), help=say)
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for checkpoints, kept from run to run")
    return parser


@dataclass(frozen=True)
class Training:
    """A training: its rule, the part of the settings that the rule reads, and its paths."""

    rule: str
    settings: dict[str, Any]
    model: Path
    manifest: Path
    pairs: list[Path]  # training, held-out
    checkpoints: Path
    out: Path
    sft_adapter: Path | None = None  # that the policy starts from and the reference has; its manifest is beside it
    reference: Path | None = None  # folder of what the reference model says of pairs, for train.fast.cached_reference

    @property
    def dpo(self) -> dict[str, Any]:
        """The settings that are flags of swift; SFT has its own values under the same name."""
        return dict(self.settings["dpo"])

    @property
    def flags(self) -> list[str]:
        """The flags of swift that the settings ask for."""
        return flag_words(self.dpo)

    @property
    def kind(self) -> str | None:
        """The kind of preference training; None for SFT."""
        return self.dpo.get("rlhf_type")

    @property
    def start(self) -> list[str]:
        """The first words of the swift command, which make it this kind of training."""
        if self.kind is None:
            return ["sft"]
        adapter = str(self.sft_adapter)
        return ["rlhf", *(["--adapters", adapter, "--ref_adapters", adapter] if self.sft_adapter else [])]

    @property
    def reference_model(self) -> str:
        """The model with whose log-probabilities the policy's are compared, in words."""
        if self.kind is None:
            return "none"
        return f"{os.path.relpath(self.model)}, {'with the SFT adapter' if self.sft_adapter else 'without an adapter'}"

    @property
    def manifests(self) -> list[Path]:
        """The manifests of what is loaded: of the model and, if there is one, of the SFT adapter."""
        adapter = self.sft_adapter
        return [self.manifest, *([manifest_beside(adapter)] if adapter else [])]

    @property
    def levers(self) -> list[str]:
        """The levers of train.fast that are on."""
        return [lever for lever, wanted in self.settings["train"].get("fast", {}).items() if wanted]

    @property
    def small(self) -> dict[str, Any]:
        """The settings of train.small. They change no result, and so no name of a folder."""
        return dict(self.settings["train"]["small"])

    @property
    def plugins(self) -> list[str]:
        """The names of the plugins that it loads."""
        return training_plugins(self.settings["train"], self.is_tracked)

    @property
    def prompt(self) -> dict[str, str]:
        """What goes into every prompt: the date, and the reasoning effort."""
        return dict(self.settings["prompt"])

    @property
    def prompt_words(self) -> list[str]:
        """Date and effort for the names of folders: medium, which was the only effort once, has no word."""
        effort = self.prompt["reasoning_effort"]
        return [self.prompt["date"], *([] if effort == "medium" else [effort])]

    @property
    def nodes(self) -> int:
        """The number of machines that train together."""
        return int(self.settings["train"]["nodes"])

    @property
    def gpus(self) -> int:
        """The GPUs of each machine; with 0 it runs on the CPU."""
        return int(self.settings["train"]["gpus"])

    @property
    def processes(self) -> int:
        """The number of processes, on all machines together."""
        return count_processes(self.settings["train"])

    @property
    def is_tracked(self) -> bool:
        """Whether SwanLab records it."""
        return bool(self.settings["tracking"]["mode"] != "disabled")

    @property
    def holds_out(self) -> bool:
        """Whether held-out rows are measured."""
        return self.dpo.get("eval_strategy") != "no"

    @property
    def run(self) -> str:
        """The name of the run in SwanLab: the folder's around --out."""
        return self.out.resolve().parent.name + ("-sft" if self.kind is None else "")

    @property
    def swanlab(self) -> Path:
        """The folder of SwanLab's record."""
        return self.out.parent / "swanlab"

    @property
    def machine(self) -> Path:
        """The record of where it was trained, when, and from which code."""
        return self.out.parent / "logs" / f"{self.rule}.machine.json"

    @property
    def speed(self) -> Path:
        """The seconds and memory of each logged step."""
        return self.out.parent / "logs" / f"{self.rule}.speed.jsonl"

    def digest(self) -> str:
        """Return the name of the folder of its checkpoints.

        The order counts: under another name, a training that was stopped starts again.
        """
        model, *adapter = self.manifests
        words = [*self.prompt_words, str(self.processes), *self.start, *self.flags, *self.levers]
        return run_digest(words, model, *self.pairs, *adapter)
