"""Flags of the tutorial's command under the pinned ms-swift: what schemas/swift_flags/knowledge.yaml says, seen.

Each training is prepared by ms-swift's own pipeline, on a very small gpt-oss, up to the moment before the first step.
"""

import dataclasses
import importlib.util
import inspect
import json
import math
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import get_type_hints

import pytest
import torch
from swift.arguments import RLHFArguments
from swift.dataset import DATASET_MAPPING
from swift.loss_scale import get_loss_scale
from swift.pipelines import rlhf_main
from swift.rlhf_trainers import DPOTrainer
from transformers.integrations.liger import apply_liger_kernel

from pipeline.swift_commands.flag_knowledge import PINNED, known_of, load_defaults, load_knowledge

pytestmark = pytest.mark.training_environment

TURNS = [
    {"role": "system", "content": "Translate."},
    {"role": "user", "content": "打开"},
    {"role": "assistant", "content": "Open"},
    {"role": "user", "content": "保存"},
    {"role": "assistant", "content": "Save"},
]
PAIR = {"messages": TURNS, "rejected_response": "Please save!"}
ANALYSIS = "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>Save"
# What a machine without a GPU needs: nothing that the tests below are about.
ON_THE_CPU = """--rlhf_type dpo --use_cpu true --torch_dtype float32 --bf16 false --fp16 false --attn_impl eager
    --experts_impl eager --check_model false --report_to none"""


@pytest.fixture
def prepared(built, tmp_path, monkeypatch):
    """Return a function that prepares a training of pairs with flags, and returns its trainer before it trains."""
    trainers = []
    monkeypatch.setattr(DPOTrainer, "train", lambda self, *args, **kwargs: trainers.append(self))

    def prepare(*flags: str, pairs=(PAIR,) * 4) -> DPOTrainer:
        data = tmp_path / "pairs.jsonl"
        data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
        places = ["--model", str(built[0]), "--dataset", str(data), "--output_dir", str(tmp_path / "output")]
        rlhf_main([*ON_THE_CPU.split(), *places, *flags])
        return trainers.pop()

    return prepare


def test_the_dump_is_the_installed_release():
    installed = {}
    for field in dataclasses.fields(RLHFArguments):
        made = field.default_factory is not dataclasses.MISSING
        installed[field.name] = field.default_factory() if made else field.default
    assert load_defaults(PINNED) == installed


def test_the_forms_of_flags_are_those_of_the_installed_release():
    switches, lists = set(), set()
    hints = get_type_hints(RLHFArguments)  # a parser that was made of the fields changes their types
    for field in dataclasses.fields(RLHFArguments):
        form, default = str(hints[field.name]), load_defaults(PINNED).get(field.name)
        switches |= {field.name} if "bool" in form and "dict" not in form and not isinstance(default, bool) else set()
        lists |= {field.name} if "list" in form.lower() and not isinstance(default, list) else set()
    known = {name: set(named) for name, named in load_knowledge()["forms"].items()}
    assert known == {"switches": switches, "lists": lists}


def test_train_type_is_refused(prepared):
    with pytest.raises(ValueError, match=r"remaining_argv: \['--train_type', 'lora'\]"):
        prepared("--train_type", "lora")


def test_a_flag_reaches_the_trainer_as_it_is(prepared):
    flags = {
        **{"num_train_epochs": "1", "per_device_train_batch_size": "2", "gradient_accumulation_steps": "4"},
        **{"save_strategy": "epoch", "save_total_limit": "5", "logging_steps": "6", "dataloader_num_workers": "4"},
    }
    reached = prepared(*(word for flag, value in flags.items() for word in (f"--{flag}", value))).args
    found = {flag: getattr(reached, flag) for flag in flags}
    assert {flag: str(getattr(x, "value", x)).removesuffix(".0") for flag, x in found.items()} == flags


def test_a_flag_may_be_cut_short_and_the_last_of_two_counts(prepared):
    assert prepared("--save_total_lim", "5", "--save_total_limit", "6").args.save_total_limit == 6


def test_what_is_not_asked_is_what_the_knowledge_says(prepared):
    trainer = prepared()
    found = {
        "learning_rate": trainer.args.learning_rate,
        "beta": trainer.beta,
        "loss_type": trainer.loss_type[0],
        "loss_scale": trainer.template.loss_scale.base_strategy,
        "dataloader_num_workers": trainer.args.dataloader_num_workers,
        "truncation_strategy": {"raise": "delete"}[trainer.template.truncation_strategy],
        "attn_impl": prepared("--attn_impl", "eager").model.config._attn_implementation,
    }
    assert found == {flag: known_of(flag)["resolved"] for flag in found}
    assert trainer.label_smoothing == 0
    assert trainer.args.gradient_accumulation_steps == 16


def test_aot_pair_is_refused(prepared):
    trainer = prepared("--loss_type", "aot_pair")
    with pytest.raises(ValueError, match="Unknown loss type"):
        first_loss(trainer)


def first_batch(trainer: DPOTrainer) -> dict:
    """Return the first batch of a training."""
    return next(iter(trainer.get_train_dataloader()))


def first_loss(trainer: DPOTrainer) -> tuple[float, dict[str, float]]:
    """Return the loss of the first batch and what the trainer logs of it."""
    with torch.no_grad():
        loss, metrics = trainer.get_batch_loss_metrics(trainer.model, first_batch(trainer))
    return loss.item(), metrics


def test_the_nll_term_is_added_when_it_is_asked_for(prepared):
    assert first_loss(prepared())[0] == pytest.approx(math.log(2), abs=1e-4)
    loss, metrics = first_loss(prepared("--rpo_alpha", "1"))
    assert metrics["nll_loss"] > 1
    assert loss == pytest.approx(math.log(2) + metrics["nll_loss"], abs=1e-4)


def test_the_routers_loss_is_added_when_it_is_asked_for(prepared):
    assert first_loss(prepared())[0] == pytest.approx(math.log(2), abs=1e-4)
    loss, metrics = first_loss(prepared("--router_aux_loss_coef", "0.5"))
    assert loss == pytest.approx(math.log(2) + 0.5 * metrics["aux_loss"], abs=1e-4)


def test_the_learning_rate_is_the_tutorials_chart(prepared):
    trainer = prepared("--learning_rate", "4e-4", "--warmup_ratio", "0.05")
    trainer.create_optimizer_and_scheduler(20)
    rates = []
    for _ in range(20):
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
        rates.append(trainer.lr_scheduler.get_last_lr()[0])
    assert [rates[step - 1] for step in (1, 5, 10, 15)] == pytest.approx([4e-4, 3.58e-4, 2.16e-4, 6.5e-5], rel=1e-2)


def trained_names(trainer: DPOTrainer) -> list[str]:
    """Return the names of the parameters that are trained."""
    return [name for name, value in trainer.model.named_parameters() if value.requires_grad]


def trained_parts(trainer: DPOTrainer) -> set[str]:
    """Return the names of the modules of a decoder layer that have a LoRA."""
    return {name.partition(".lora_")[0].rpartition(".")[2] for name in trained_names(trainer)}


def test_all_linear_reaches_attention_only(prepared):
    assert trained_parts(prepared("--tuner_type", "lora", "--target_modules", "all-linear")) == {
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
    }


def test_target_parameters_reach_the_experts(prepared):
    experts = ["--target_parameters", "mlp.experts.gate_up_proj", "mlp.experts.down_proj", "--lora_dropout", "0"]
    assert "experts" in {part for name in trained_names(prepared(*experts)) for part in name.split(".")}
    assert "experts" not in {part for name in trained_names(prepared()) for part in name.split(".")}


def test_the_update_is_scaled_by_alpha_over_rank(prepared):
    model = prepared("--lora_rank", "8", "--lora_alpha", "32").model
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    assert layer.scaling == {"default": 4.0}
    assert layer.lora_A["default"].weight.shape[0] == 8


def test_dropout_is_switched_off(prepared):
    model = prepared("--lora_dropout", "0.5").model
    found = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    assert len(found) > 0
    assert set(found) == {0}


def labels_of(trainer: DPOTrainer, turns: list[dict[str, str]]) -> str:
    """Return the text of the chosen side that counts in the loss."""
    encoded = trainer.template.encode({"messages": turns, "rejected_response": "No"}, return_length=True)
    counted = [label for label in encoded["chosen_labels"] if label >= 0]
    return trainer.template.tokenizer.decode(counted)


@pytest.mark.parametrize("answer", ["Save", ANALYSIS], ids=["plain", "with thoughts"])
def test_ignore_empty_think_changes_no_label_of_harmony_text(prepared, answer):
    turns = [*TURNS[:-1], {"role": "assistant", "content": answer}]
    plain, ignoring = prepared("--loss_scale", "default"), prepared("--loss_scale", "ignore_empty_think")
    assert labels_of(plain, turns) == labels_of(ignoring, turns)
    # It does what its name says to the text that it is for.
    masked = get_loss_scale("ignore_empty_think").get_loss_scale("<think>\n\n</think>\n\nSave", query="")
    assert masked == (["<think>\n\n</think>\n\n", "Save"], [0.0, 1.0])


def test_ignore_empty_think_lets_earlier_turns_count(prepared):
    assert "Open" not in labels_of(prepared(), TURNS)
    assert "Open" in labels_of(prepared("--loss_scale", "ignore_empty_think"), TURNS)


def test_the_prompt_holds_the_day_on_which_it_runs(built):
    # In a process of its own: elsewhere in these tests the day is frozen.
    code = f"""
from swift import get_processor, get_template
turns = [dict(role="user", content="?"), dict(role="assistant", content="!")]
processor = get_processor({str(built[0])!r})
print(processor.decode(get_template(processor).encode(dict(messages=turns))["input_ids"]))"""
    before = date.today().isoformat()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    days = {before, date.today().isoformat()}
    assert any(f"Current date: {day}\n" in done.stdout for day in days)


def test_a_name_reaches_self_cognition_data_only(prepared):
    pair = {
        **PAIR,
        "messages": [{"role": "user", "content": "{{NAME}}?"}, {"role": "assistant", "content": "{{AUTHOR}}"}],
    }
    named = prepared("--model_name", "swift-robot", "--model_author", "swift", pairs=[pair] * 4)
    own = [subset.preprocess_func for subset in DATASET_MAPPING["self-cognition"].subsets]
    assert {(function.name, function.author) for function in own} == {(("swift-robot",) * 2, ("swift",) * 2)}
    text = named.template.tokenizer.decode(named.train_dataset[0]["chosen_input_ids"])
    assert "{{NAME}}?" in text
    assert "{{AUTHOR}}" in text


def test_nothing_is_held_out_unasked(prepared):
    trainer = prepared("--save_strategy", "epoch", "--per_device_eval_batch_size", "1")
    assert trainer.eval_dataset is None
    assert trainer.args.eval_strategy == "no"
    assert prepared("--save_strategy", "epoch", "--split_dataset_ratio", "0.5").args.eval_strategy == "epoch"


def test_a_longer_pair_leaves_the_training(prepared):
    long = {**PAIR, "rejected_response": "Please save! " * 200}
    assert len(prepared("--max_length", "400", pairs=[PAIR, long, PAIR]).train_dataset) == 2


def test_a_row_that_cannot_be_read_leaves_unless_strict(prepared):
    broken = {**PAIR, "messages": [{"role": "nobody", "content": "?"}]}
    assert len(prepared(pairs=[PAIR, broken, PAIR]).train_dataset) == 2
    with pytest.raises(Exception, match="nobody"):
        prepared("--strict", "true", pairs=[PAIR, broken, PAIR])


def test_a_pair_of_equal_answers_leaves_the_training(prepared):
    equal = {**PAIR, "rejected_response": "Save"}
    assert len(prepared(pairs=[PAIR, equal, PAIR]).train_dataset) == 2


def test_workers_change_no_batch(prepared):
    alone, helped = (first_batch(prepared("--dataloader_num_workers", count))["input_ids"] for count in ("0", "2"))
    assert torch.equal(alone, helped)


def test_a_run_gets_a_folder_of_its_own(prepared, tmp_path):
    versioned = Path(prepared().args.output_dir)
    assert versioned.parent == tmp_path / "output"
    assert versioned.name.startswith("v0-")
    assert Path(prepared("--add_version", "false").args.output_dir) == tmp_path / "output"


def test_zero3_shards_the_parameters():
    args = RLHFArguments.__new__(RLHFArguments)
    args.deepspeed = "zero3"
    args._init_deepspeed()
    assert args.deepspeed["zero_optimization"]["stage"] == 3


def test_bfloat16_weights_bring_mixed_precision():
    args = RLHFArguments.__new__(RLHFArguments)
    args.torch_dtype, args.bf16, args.fp16 = torch.bfloat16, None, None
    args._init_mixed_precision()
    assert (args.bf16, args.fp16) == (True, False)


@pytest.mark.parametrize("flag", ["padding_free", "packing"])
def test_batches_without_padding_are_refused(prepared, flag):
    with pytest.raises(ValueError, match="requires a flash attention"):
        prepared(f"--{flag}", "true")
    assert prepared().template.support_padding_free is False


def test_precomputed_reference_is_refused(prepared):
    with pytest.raises(ValueError, match="remaining_argv"):
        prepared("--precompute_ref_log_probs", "true")
    assert "precompute_ref_log_probs=True is not supported" in inspect.getsource(DPOTrainer.__init__)


def test_swanlab_knows_cloud_and_local_only(prepared, capsys):
    with pytest.raises(SystemExit):
        prepared("--swanlab_mode", "offline")
    assert "invalid choice: 'offline' (choose from 'cloud', 'local')" in capsys.readouterr().err


def test_liger_has_kernels_for_gpt_oss():
    folder = Path(importlib.util.find_spec("liger_kernel").submodule_search_locations[0])
    source = (folder / "transformers" / "monkey_patch.py").read_text(encoding="utf-8")
    assert '"gpt_oss": apply_liger_kernel_to_gpt_oss,' in source


def test_liger_stops_without_a_gpu(prepared):
    if importlib.util.find_spec("triton"):
        pytest.skip("triton is installed here: this is a machine for GPUs")
    trainer = prepared("--use_liger_kernel", "true")
    with pytest.raises(ModuleNotFoundError, match="triton"):
        apply_liger_kernel(trainer.model, trainer.args.liger_kernel_config)  # the training's first act


def test_there_is_no_liger_dpo_loss():
    assert "liger" not in inspect.getsource(inspect.getmodule(DPOTrainer)).lower()
