"""publish.py: a training that has ended is judged as a whole, and published where nothing speaks against it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.files.folder_manifest import write_manifest
from pipeline.gates import gate, read_gates, write_gates
from pipeline.launch.contract import Contract
from pipeline.training.checkpoints import MANIFEST
from pipeline.training.publish import find_unjudged, judge_whole, publish, require_last_step
from pipeline.training.training import Training

DPO = {"rlhf_type": "dpo", "loss_type": "sigmoid", "beta": 0.1}
PROMPT = {"model_type": "gpt_oss", "template": "gpt_oss"}
FIRST = {"loss": 0.7, "rewards/chosen": 0.0, "global_step/max_steps": "1/2"}
SECOND = {"loss": 0.6, "rewards/chosen": -1.0, "global_step/max_steps": "2/2"}
JUDGED = ["first_grad_norm", "first_loss", "lora_coverage", "reference", "rows_trained"]
# Reported ones stop a training only where gates.collapse says so.
REPORTED = {"loss_collapse": {"loss": 0.01}, "chosen_log_probability": {"rewards/chosen": -2.1}}


def training(dpo: dict[str, Any], collapse: str = "report") -> Training:
    gates = {"collapse": collapse, "loss_share": 0.02, "chosen_fall": 20}
    return Training("train_dpo", {"dpo": dpo, "gates": gates}, Path("m"), Path("m.sha256"), [], Path("k"), Path("dpo"))


@pytest.fixture
def end(tmp_path, monkeypatch) -> Callable[..., None]:
    """Return a function that publishes a training that has ended with these curves and gates into dpo/."""
    monkeypatch.setattr("pipeline.training.record.PACKAGES", ())  # they are in the training environment
    monkeypatch.chdir(tmp_path)
    last = Path("k/digest/checkpoint-2")
    last.mkdir(parents=True)
    (last / "adapter_model.safetensors").write_bytes(b"weights")
    (last / "adapter_config.json").write_text('{"target_modules": ["q_proj"]}', encoding="utf-8")
    (last.parent / "lora_coverage.csv").write_text("module\n", encoding="utf-8")

    def run(second: dict[str, Any], judged: list[str] = JUDGED, collapse: str = "report", **in_force: Any) -> None:
        contract = Contract(last.parent, 1, 1)
        rows = (json.dumps(row) + "\n" for row in (FIRST, SECOND | second))
        (last.parent / "logging.jsonl").write_text("".join(rows), encoding="utf-8")
        (last / "args.json").write_text(json.dumps(DPO | PROMPT | in_force), encoding="utf-8")
        write_gates(contract.gates_file, [gate(name, True, 1, 1) for name in judged])
        publish(training(DPO, collapse), contract, last, ["rlhf"], {})

    return run


def failed() -> list[str]:
    return [row["gate"] for row in read_gates(Path("dpo/gates.json")) if not row["passed"]]


def test_a_training_against_which_nothing_speaks_is_published(end):
    end({})
    assert failed() == []
    assert Path("dpo/adapter.sha256").is_file()


STOPPING = {
    "finite": {"second": {"loss": math.nan}},
    "settings_in_force": {"second": {}, "beta": 0.2},
    **{name: {"second": {}, "judged": [other for other in JUDGED if other != name]} for name in JUDGED},
    **{name: {"second": second, "collapse": "stop"} for name, second in REPORTED.items()},
}


@pytest.mark.parametrize("name", STOPPING)
def test_a_gate_that_fails_at_the_end_is_written_down_and_nothing_is_published(end, name):
    with pytest.raises(SystemExit, match=rf"^dpo/gates.json: {name} is "):
        end(**STOPPING[name])
    assert failed() == [name]
    assert not Path("dpo/adapter").exists()


@pytest.mark.parametrize("name", REPORTED)
def test_a_collapse_that_is_only_reported_is_written_down_and_published(end, name, capsys):
    end(REPORTED[name])
    assert failed() == [name]
    assert capsys.readouterr().out.startswith(f"dpo/gates.json: {name} is ")
    assert Path("dpo/adapter.sha256").is_file()


def test_a_gate_that_was_never_judged_says_how_to_have_it_judged():
    (missing,) = find_unjudged([gate(name, True, 1, 1) for name in JUDGED[1:]], training(DPO))
    assert missing["value"] == "missing"
    assert missing["expected"].endswith("delete k to train again")


@pytest.mark.parametrize("name", PROMPT)
def test_another_template_or_type_of_model_in_force_fails_the_gate(name):
    rows = judge_whole([], training(DPO), DPO | PROMPT | {name: "qwen3"})
    assert rows[1] == gate("settings_in_force", False, f"{name}: gpt_oss became qwen3", "as given")


@pytest.mark.parametrize(("recorded", "passed"), [("cpo", True), ("orpo", False)])
def test_simpo_is_in_force_where_ms_swift_records_cpo_whose_trainer_it_uses(recorded, passed):
    simpo = {"rlhf_type": "simpo", "loss_type": "simpo", "beta": 2.0}
    rows = judge_whole([], training(simpo), simpo | PROMPT | {"rlhf_type": recorded})
    assert [row["passed"] for row in rows if row["gate"] == "settings_in_force"] == [passed]


def write_checkpoint(folder: Path, step: int) -> Path:
    """Write a whole checkpoint at a step of a training of nine."""
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir()
    state = json.dumps({"global_step": step, "max_steps": 9})
    (checkpoint / "trainer_state.json").write_text(state, encoding="utf-8")
    write_manifest(checkpoint, checkpoint / MANIFEST)
    return checkpoint


def test_a_training_that_was_stopped_before_its_last_step_is_not_at_its_end(tmp_path):
    write_checkpoint(tmp_path, 5)
    with pytest.raises(SystemExit, match=r"^stopped at step 5 of 9 with a checkpoint"):
        require_last_step(tmp_path)


def test_the_checkpoint_of_the_last_step_is_the_end(tmp_path):
    last = write_checkpoint(tmp_path, 9)
    assert require_last_step(tmp_path) == last
