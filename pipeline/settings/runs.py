"""The runs of a graph: for each, the places of its models, its training, and what it shares with other runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.models.model_weights import is_packed_folder
from pipeline.settings.merge_format import keeps_format
from pipeline.settings.sweep import Config, list_points, settings_by_run


@dataclass(frozen=True)
class Model:
    """A model that a stage loads: its folder, the manifest of that, and the manifest of an adapter that goes on it."""

    folder: str
    manifest: str
    adapter: tuple[str, ...] = ()
    is_built: bool = True  # by this graph, so that its folder is an input

    @property
    def built(self) -> list[str]:
        """The folder as an input: none, where it was put there by hand."""
        return [self.folder] if self.is_built else []

    @property
    def adapter_folder(self) -> str | None:
        """The folder of the adapter, if there is one."""
        return self.adapter[0].removesuffix(".sha256") if self.adapter else None


@dataclass(frozen=True)
class Run:
    """A run: its settings, and folders. Points of a sweep share what comes before the training, and may share that."""

    settings: Config
    folder: str  # results/<run>
    shared: str  # of what all points share
    training: str  # of the run whose training this one answers with
    before: str  # of the run whose answers of the models before DPO this one is compared with
    keeps_format: bool  # whether the tuned model is written as the model came

    @property
    def published(self) -> Model:
        """The model as it came: built here, or named by model.folder."""
        own = self.settings["model"]["folder"]
        return Model(own or f"{self.shared}/model", f"{self.shared}/model.sha256", is_built=own is None)

    @property
    def dequantised(self) -> Model:
        """The same in bfloat16, where it came packed."""
        return Model(f"{self.shared}/dequantised", f"{self.shared}/dequantised.sha256")

    @property
    def is_packed(self) -> bool:
        """Whether the model came packed.

        Where model.folder is not here, it is as it was when the run last had it; at first, as gpt-oss is published.
        """
        own = self.settings["model"]["folder"]
        if own is None:  # built as the published one is
            return True
        if Path(own).is_dir():
            return is_packed_folder(Path(own))
        return Path(self.dequantised.manifest).is_file() or not Path(self.published.manifest).is_file()

    @property
    def base(self) -> Model:
        """The model that is tuned: as it came, or dequantised."""
        dequantised = self.is_packed and self.settings["model"]["weights"] == "bfloat16"
        return self.dequantised if dequantised else self.published

    @property
    def start(self) -> Model:
        """What DPO starts from: the base, the base with the SFT merged into it, or with the SFT adapter on it."""
        sft = self.settings["sft"]
        if not sft["enabled"]:
            return self.base
        if sft["join"] == "merged":
            return Model(f"{self.shared}/sft/merged", f"{self.shared}/sft/merged.sha256")
        base = self.base
        return Model(base.folder, base.manifest, (f"{self.shared}/sft/adapter.sha256",), base.is_built)

    @property
    def tuned(self) -> Model:
        """The base, or what DPO started from, with the DPO adapter merged into it."""
        return Model(f"{self.training}/merged", f"{self.training}/merged.sha256")

    @property
    def stays_packed(self) -> bool:
        """Whether the tuned model is packed, as its base came."""
        sft = self.settings["sft"]
        in_bfloat16 = self.settings["model"]["weights"] == "bfloat16" and sft["enabled"] and sft["join"] == "merged"
        return self.is_packed and self.keeps_format and not in_bfloat16

    @property
    def merged_into(self) -> Model:
        """What the adapter is merged into: what DPO started from, or the packed model that was dequantised for it."""
        return self.published if self.stays_packed and self.start.folder == self.base.folder else self.start

    def model(self, name: str) -> Model:
        """Return a model by its name in results: base, sft or dpo."""
        return {"base": self.base, "sft": self.start, "dpo": self.tuned}[name]

    @property
    def models_before(self) -> list[str]:
        """The names of the models before DPO, in the order in which they are made."""
        return ["base", "sft"] if self.settings["sft"]["enabled"] else ["base"]

    @property
    def answers_before(self) -> list[str]:
        """The answers of the models before DPO, in the order in which the models are made."""
        return [f"{self.before}/evaluate/{model}/predictions.jsonl" for model in self.models_before]

    @property
    def scores_before(self) -> list[str]:
        """The scores under the models before DPO: the shards of the first model, then those of the next."""
        shards = range(self.settings["infer"]["shards"])
        return [
            f"{self.before}/evaluate/{name}/scores/{shard}.jsonl" for name in self.models_before for shard in shards
        ]

    @property
    def neutral_before(self) -> list[str]:
        """The scores of the neutral text under the models before DPO, in the order in which the models are made."""
        return [f"{self.before}/evaluate/{model}/neutral.jsonl" for model in self.models_before]


def list_runs(config: Config) -> dict[str, Run]:
    """Return every run that the graph has, by name: the points, their trainings, and what all share."""
    points = list_points(config)
    trainings = {point.run: point.training for point in points}
    return {
        name: Run(
            settings=settings,
            folder=f"results/{name}",
            shared=f"results/{config['run']}",
            training=f"results/{trainings.get(name, name)}",
            before=f"results/{config['run'] if settings['infer'] == config['infer'] else name}",
            # The SFT is that of all points, and may train experts where a point does not.
            keeps_format=keeps_format(settings) and (keeps_format(config) or not config["sft"]["enabled"]),
        )
        for name, settings in settings_by_run(config, points).items()
    }


def name_models(runs: Mapping[str, Run]) -> Callable[[Any], Model]:
    """Return a function that says which model a job loads: the one its files are named after, else the tuned one."""
    return lambda wildcards: runs[wildcards.run].model(wildcards.get("model", "dpo"))
