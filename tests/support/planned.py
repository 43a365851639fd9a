"""What several tests of plans need: settings, and pairs of a length."""

from pathlib import Path
from typing import Any

from pipeline.planning.tokens import PairTokens
from pipeline.planning.trainings import Pairs, Training, list_trainings
from pipeline.settings.check import load_config, merge
from tests.support.project import ROOT

EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
# What the measurements on one H100 were made under.
ONE_H100 = {"train": {"gpus": 1, "gpu_model": "h100"}, "dpo": {"deepspeed": "zero0"}}


def settings(experiment: str = "tutorial", **sections: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of an experiment, or of config.yaml without one, with changes."""
    overlays: list[Path] = [ROOT / "experiments" / f"{experiment}.yaml"] if experiment else []
    return merge(load_config(overlays), sections)


def same_pairs(count: int, prompt: int = 90, chosen: int = 390, rejected: int = 390) -> Pairs:
    """Return `count` training pairs of one length, and an eighth as many held-out ones."""
    train = [PairTokens(prompt, chosen, rejected)] * count
    return Pairs(train, train[: count // 8], train)


def plan_dpo(config: dict[str, Any], pairs: Pairs | None = None) -> Training:
    """Return the last training of a run: DPO."""
    return list_trainings(config, pairs or same_pairs(640))[-1]
