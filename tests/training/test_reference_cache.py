"""reference_cache.py: what was computed is found again by every release."""

from dataclasses import replace
from pathlib import Path

from pipeline.training.reference_cache import reference_digest
from pipeline.training.training import Training

DPO = {"torch_dtype": "bfloat16", "target_modules": ["q_proj", "v_proj"], "beta": 0.1, "seed": 42}


def training(processes: int = 8, levers: tuple[str, ...] = (), **dpo) -> Training:
    train = {"nodes": 1, "gpus": 0, "cpu_processes": processes, "fast": dict.fromkeys(levers, True)}
    settings = {"dpo": DPO | dpo, "train": train, "prompt": {"date": "2026-01-01", "reasoning_effort": "medium"}}
    paths = {name: Path(name) for name in ("model", "checkpoints", "out")}
    return Training("train_dpo", settings, manifest=Path("m.sha256"), pairs=[], **paths)


def test_the_name_of_the_folder_is_pinned_and_the_loss_has_no_part_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("m.sha256", "sft.sha256"):
        Path(name).write_text(f'{{"id": "{name}"}}\n', encoding="utf-8")

    def digest(processes: int = 8, **dpo) -> str:
        asked = training(processes, ("packed_pairs", "cached_reference"), **dpo)
        return reference_digest(replace(asked, sft_adapter=Path("sft")), [])

    assert digest() == "a5d5cf77a412"
    assert digest(loss_type="ipo") == "a5d5cf77a412"
    assert digest(processes=4) != "a5d5cf77a412"


def test_other_code_keeps_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.sha256").touch()
    first, other = (reference_digest(training(), [f"plugins/a.py {n}"]) for n in "12")
    assert first != other
