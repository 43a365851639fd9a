"""List the trainings of a run: SFT if it is enabled, and DPO for every point of a sweep."""

from dataclasses import dataclass
from typing import Any

from pipeline.models.shape import Shape, named_parameters
from pipeline.planning.batch_memory import largest_batch
from pipeline.planning.load import Load, Row, count_evaluations, held_out_load, make_load, preference_rows, sft_rows
from pipeline.planning.memory import estimate_memory, held_out_bytes
from pipeline.planning.tokens import PairTokens
from pipeline.settings.flags import sft_settings
from pipeline.settings.resources import count_processes
from pipeline.settings.runs import Run, list_runs
from pipeline.settings.sweep import list_points

Settings = dict[str, Any]


@dataclass(frozen=True)
class Pairs:
    """The tokens of what a run trains on and measures."""

    train: list[PairTokens]
    held_out: list[PairTokens]
    conversations: list[PairTokens]  # what the SFT learns, each as a pair of equal answers


@dataclass(frozen=True)
class Training:
    """One training: its settings and its data."""

    run: str
    section: str  # of the settings: dpo or sft
    config: Settings
    load: Load
    held_out: Load | None  # None where nothing is measured
    packed_experts: bool  # whether it trains a model whose experts are packed

    @property
    def flags(self) -> Settings:
        """Return the flags that swift gets, the levers, train.small, and whether experts are packed."""
        small: Settings = self.config["train"]["small"]
        return read_flags(self.config, self.section) | small | {"packed_experts": self.packed_experts}


def read_flags(config: Settings, section: str) -> Settings:
    """Return the flags that swift gets for a section of the settings, and the levers of `train.fast` for DPO."""
    return sft_settings(config) if section == "sft" else config["dpo"] | config["train"]["fast"]


def list_trainings(config: Settings, pairs: Pairs) -> list[Training]:
    """Return the trainings of a run, in the order in which they are done; points that share one have it once."""
    runs = list_runs(config)
    names = dict.fromkeys(point.training for point in list_points(config))
    sft = [make_training(config["run"], runs[config["run"]], "sft", pairs)] if config["sft"]["enabled"] else []
    return [*sft, *(make_training(name, runs[name], "dpo", pairs) for name in names)]


def trains_packed(run: Run, section: str) -> bool:
    """Say whether a training is over packed experts. An SFT that is merged, and trained experts, leaves none."""
    is_packed = run.is_packed and run.base.folder == run.published.folder
    merged = section == "dpo" and run.settings["sft"]["enabled"] and run.settings["sft"]["join"] == "merged"
    return is_packed and not (merged and named_parameters(run.settings["dpo"]))


def make_training(name: str, run: Run, section: str, pairs: Pairs) -> Training:
    """Return a training of a section of the settings."""
    config = run.settings
    flags = read_flags(config, section)
    kind = flags.get("rlhf_type")
    rows: tuple[Row, ...] = preference_rows(pairs.train, kind) if kind else sft_rows(pairs.conversations)
    measured = preference_rows(pairs.held_out, kind) if kind else sft_rows(pairs.held_out)
    processes = count_processes(config["train"])
    return Training(
        run=name,
        section=section,
        config=config,
        load=make_load(rows, processes, flags),
        held_out=held_out_load(measured, processes, flags) if measured and count_evaluations(flags) else None,
        packed_experts=trains_packed(run, section),
    )


def needed_memory(shape: Shape, training: Training, length: int | None = None) -> float:
    """Return the bytes that a GPU needs for a training and for its held-out rows, the larger.

    `length` stands for the longest sequence of either, where it is given.
    """
    flags, load = training.flags, training.load
    needs = [estimate_memory(shape, flags, largest_batch(load, length), load.processes).total]
    if training.held_out:
        batch = largest_batch(training.held_out, length)
        needs.append(held_out_bytes(shape, flags, batch, load.processes))
    return max(needs)
