"""plugins/training_gates.py: what passes, and what stops a training where.

In real trainings of a very small model. Where each gate has to fail, the callback is told figures and no one trains.
"""

import json
import os
import runpy
import shlex
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from pipeline.gates import GateError, read_gates
from pipeline.launch.contract import Contract
from pipeline.settings.flags import swift_flags

pytestmark = [pytest.mark.training_environment, pytest.mark.usefixtures("plugins_leave_no_trace")]

SETTINGS = {
    "tuner_type": "lora",
    "torch_dtype": "float32",
    "bf16": False,
    "fp16": False,
    "target_modules": ["all-linear"],
    "loss_type": "sigmoid",
    "beta": 0.1,
    "learning_rate": 0.01,
    "max_steps": 3,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "logging_steps": 1,
    "save_strategy": "no",
    "lora_dropout": 0,
    "router_aux_loss_coef": 0.0,
    "gradient_checkpointing": False,
}
PLUGINS = ("whole_model", "fp32_logps", "harmony", "every_row")
WANTED = {"collapse": "report", "loss_share": 0.02, "chosen_fall": 20}
ASKED = {"rlhf_type": "dpo", "init_weights": "true"}


@pytest.fixture
def train(built, tmp_path, monkeypatch):
    """Return a function that trains under the gates, and returns the gates by name."""
    from swift import rlhf_main

    answers = [("Save", "Please save!"), ("Save it", "Store"), ("Keep", "Save?"), ("Store", "No"), ("Save all", "All")]
    pairs = [
        {
            "messages": [{"role": "user", "content": "保存"}, {"role": "assistant", "content": chosen}],
            "rejected_response": rejected,
        }
        for chosen, rejected in answers
    ]
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    file = tmp_path / "gates" / "gates.json"
    file.parent.mkdir()
    reference = f"{os.path.relpath(built[0])}, without an adapter"

    def run(gates: dict | None = None, *flags: str, rows: int = len(pairs), **settings: object) -> dict[str, dict]:
        wanted = WANTED | {"reference": reference, "asked": ASKED} | (gates or {})
        contract = Contract(file.parent, rows, 0, gates=wanted)
        for name, value in {**contract.write(), "PROMPT_DATE": "2020-02-02", "REASONING_EFFORT": "medium"}.items():
            monkeypatch.setenv(name, value)
        for plugin in (*PLUGINS, "count_rows", "training_gates"):
            runpy.run_path(f"plugins/{plugin}.py")
        arguments = ["--model", str(built[0]), "--dataset", str(data), *shlex.split(swift_flags(SETTINGS | settings))]
        arguments += ["--output_dir", str(tmp_path / "out"), "--add_version", "false", "--check_model", "false"]
        arguments += ["--callbacks", "count_rows", "training_gates"]
        rlhf_main([*arguments, *flags, "--use_cpu", "true", "--report_to", "none", "--strict", "true"])
        return {row["gate"]: row for row in read_gates(file)}

    run.file = file
    return run


def test_a_training_as_it_was_asked_for_passes_every_gate(train):
    gates = train()
    assert [name for name, row in gates.items() if not row["passed"]] == []
    assert set(gates) == {
        *("lora_coverage", "reference", "first_grad_norm", "first_loss", "first_margin", "rows_trained"),
    }
    assert gates["rows_trained"]["value"] == 5  # in batches of two


def test_the_table_of_the_lora_says_which_parts_have_one(train):
    gates = train(
        {},
        target_modules=["q_proj", "v_proj"],
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
        max_steps=1,
    )
    table = train.file.with_name("lora_coverage.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0::3] for line in table] == [
        ["module", "experts"],
        ["mlp.experts.down_proj", "yes"],
        ["mlp.experts.gate_up_proj", "yes"],
        ["self_attn.q_proj", "no"],
        ["self_attn.v_proj", "no"],
    ]
    assert {line.split(",")[1] for line in table[1:]} == {"2"}
    assert gates["lora_coverage"]["expected"] == "down_proj, gate_up_proj, q_proj, v_proj in 2 layers"


def test_a_first_loss_that_is_not_the_predicted_one_stops_the_training(train, tmp_path):
    # A LoRA that starts with weights of its own: the policy is not the reference.
    with pytest.raises(GateError, match=r"first_loss is .*, expected 0\.693147 within 0\.0001"):
        train({}, init_weights="false")
    assert '"loss"' in (tmp_path / "out" / "logging.jsonl").read_text(encoding="utf-8")


def test_a_process_without_the_margin_of_kto_judges_the_loss_alone():
    judge = runpy.run_path("plugins/training_gates.py")["judge_first_loss"]
    kto = SimpleNamespace(desirable_weight=1.0, undesirable_weight=1.0, router_aux_loss_coef=0.0)
    (only,) = judge(kto, {"rlhf_type": "kto", "init_weights": "true"}, {"loss": 0.5})
    assert only["gate"] == "first_loss" and only["passed"]


def test_the_first_loss_is_predicted_from_the_means_that_the_step_logged(callback):
    args = SimpleNamespace(**vars(ARGS) | {"rpo_alpha": 0.5})
    assert tell_steps(callback(), FIRST | {"loss": 1.693147, "nll_loss": 2.0}, args=args)["first_loss"]


def test_rows_that_ms_swift_left_out_stop_it_before_the_model_is_prepared(train, tmp_path):
    with pytest.raises(RuntimeError, match="ms-swift loaded 5 training rows of 6"):
        train(rows=6)
    assert not (tmp_path / "out" / "logging.jsonl").exists()


def test_on_the_sft_adapter_the_reference_has_it_and_the_first_margin_is_0(train, built, tmp_path):
    torch.manual_seed(1)
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(built[0]), config).save_pretrained(tmp_path / "sft")
    reference = {"reference": f"{os.path.relpath(built[0])}, with the SFT adapter"}
    gates = train(reference, "--adapters", str(tmp_path / "sft"), "--ref_adapters", str(tmp_path / "sft"))
    assert gates["first_margin"]["passed"] and gates["first_loss"]["value"] == 0.693147


def test_a_reference_that_was_not_asked_for_stops_it_before_the_first_step(train, tmp_path):
    with pytest.raises(GateError, match=r"reference is .*, without an adapter, expected sft/merged, without"):
        train({"reference": "sft/merged, without an adapter"})
    assert '"loss"' not in (tmp_path / "out" / "logging.jsonl").read_text(encoding="utf-8")


def test_a_loss_that_collapses_stops_it_at_that_step_where_that_is_asked_for(train):
    stop = {"collapse": "stop", "loss_share": 0.999999}
    with pytest.raises(GateError, match=r"loss_collapse is 0\.\d+ at step [23]"):
        train(stop, learning_rate=0.002)


@pytest.fixture
def callback(built, tmp_path, monkeypatch) -> Callable[..., Any]:
    """Return a function that makes the gates of a training under a contract, without a training."""

    def make(trainer: SimpleNamespace | None = None, **gates: Any) -> Any:
        wanted = WANTED | {"reference": f"{os.path.relpath(built[0])}, without an adapter", "asked": ASKED} | gates
        for name, value in Contract(tmp_path, 5, 0, gates=wanted).write().items():
            monkeypatch.setenv(name, value)
        return runpy.run_path("plugins/training_gates.py")["TrainingGates"](None, trainer)

    return make


ARGS = SimpleNamespace(
    **{"loss_type": ["sigmoid"], "beta": 0.1, "loss_weights": None, "rpo_alpha": None, "ld_alpha": None},
    router_aux_loss_coef=0.0,
)
FIRST = {"loss": 0.693147, "grad_norm": 0.5, "rewards/margins": 0.0, "rewards/chosen": 0.0}
SECOND = {"loss": 0.6, "grad_norm": 0.4, "rewards/margins": 0.3, "rewards/chosen": -1.0}


def tell_steps(gates: Any, *steps: dict[str, float], args: SimpleNamespace = ARGS) -> dict[str, bool]:
    """Tell the callback what was logged at step 1 and after it; return which gates passed."""
    rows = [{"step": number} | logged for number, logged in enumerate(steps, 1)]
    for number, logged in enumerate(steps, 1):
        gates.on_log(args, SimpleNamespace(global_step=number, log_history=rows[:number]), None, logs=logged)
    return passed(gates)


def passed(gates: Any) -> dict[str, bool]:
    """Return which gates passed, by the file of the gates."""
    return {row["gate"]: row["passed"] for row in read_gates(gates.contract.gates_file)}


WRONG_FIGURES = {
    "first_grad_norm": [FIRST | {"grad_norm": 0.0}],
    "first_loss": [FIRST | {"loss": 0.6934}],
    "first_margin": [FIRST | {"rewards/margins": 0.0001}],
    "finite": [FIRST, SECOND | {"rewards/chosen": float("inf")}],
    "loss_collapse": [FIRST, SECOND | {"loss": 0.01}],
    "chosen_log_probability": [FIRST, SECOND | {"rewards/chosen": -2.1}],
}


@pytest.mark.parametrize("name", WRONG_FIGURES)
def test_a_figure_that_is_wrong_is_written_down_and_stops_the_training(callback, name):
    gates = callback(collapse="stop")
    with pytest.raises(GateError, match=f"^{name} is "):
        tell_steps(gates, *WRONG_FIGURES[name])
    assert [gate for gate, fine in passed(gates).items() if not fine] == [name]


def test_a_first_loss_without_a_closed_form_has_to_be_above_0(callback):
    gates = callback(asked=ASKED | {"init_weights": "pissa"})
    with pytest.raises(GateError, match=r"first_loss is 0\.0, expected above 0; no closed form"):
        tell_steps(gates, FIRST | {"loss": 0.0})
    assert tell_steps(gates, FIRST | {"loss": 1.23456789})["first_loss"]
    assert (
        next(row for row in read_gates(gates.contract.gates_file) if row["gate"] == "first_loss")["value"] == 1.234568
    )


@pytest.mark.parametrize("kind", ["simpo", "orpo"])
def test_a_training_without_a_reference_has_no_first_loss_and_no_margin_to_judge(callback, kind):
    gates = callback(asked={"rlhf_type": kind, "init_weights": "true"})
    assert tell_steps(gates, FIRST | {"loss": 0.0}) == {"first_grad_norm": True}


def test_a_loss_whose_best_is_0_does_not_collapse(callback):
    gates = callback(collapse="stop")
    args = SimpleNamespace(**vars(ARGS) | {"loss_type": ["hinge"]})
    tell_steps(gates, FIRST | {"loss": 1.0}, SECOND | {"loss": 0.0}, args=args)


@pytest.mark.parametrize("name", ["loss_collapse", "chosen_log_probability"])
def test_a_collapse_does_not_stop_a_training_that_only_reports_it(callback, name):
    fine = tell_steps(callback(collapse="report"), *WRONG_FIGURES[name])
    assert fine == dict.fromkeys(("first_grad_norm", "first_loss", "first_margin"), True)


def begin(callback: Callable[..., Any], model_folder: Any, ref_model: Any = None, **lora: Any) -> None:
    """Tell the callback that a training begins of a real model with a LoRA."""
    policy = get_peft_model(AutoModelForCausalLM.from_pretrained(model_folder), LoraConfig(r=2, **lora))
    trainer = SimpleNamespace(model=policy, ref_model=ref_model, ref_adapter_name=None)
    callback(trainer).on_train_begin(ARGS, None, None, SimpleNamespace(batch_sampler=None))


def test_a_target_without_a_lora_in_one_of_the_layers_stops_it(callback, built):
    with pytest.raises(GateError, match=r"^lora_coverage is q_proj in 1 of 2 layers, without experts"):
        begin(callback, built[0], target_modules=["q_proj"], layers_to_transform=[0])


def test_a_reference_model_of_its_own_stops_it(callback, built):
    with pytest.raises(GateError, match=r"^reference is .*, a model of its own, expected .*, without an adapter"):
        begin(callback, built[0], ref_model=object(), target_modules=["q_proj"])


def end_epoch(callback: Callable[..., Any], epoch: float, drawn: set[int]) -> dict[str, bool]:
    """Tell the callback that an epoch of five rows ends in which these were drawn; return which gates passed."""
    gates = callback(SimpleNamespace(train_dataset=range(5)))
    gates.drawn = drawn
    gates.on_epoch_end(ARGS, SimpleNamespace(epoch=epoch), None)
    return passed(gates)


def test_a_row_that_was_never_drawn_stops_it_at_the_end_of_the_epoch(callback):
    with pytest.raises(GateError, match=r"^rows_trained is 4, expected 5"):
        end_epoch(callback, 1.0, {0, 1, 2, 3})


def test_half_an_epoch_does_not_have_to_draw_every_row(callback):
    assert end_epoch(callback, 0.5, {0, 1}) == {"rows_trained": True}


def test_a_later_epoch_that_is_left_in_its_middle_is_not_judged(callback):
    # A training that went on from a checkpoint was not given the rows of its first epoch.
    assert end_epoch(callback, 1.5, {0, 1}) == {}
