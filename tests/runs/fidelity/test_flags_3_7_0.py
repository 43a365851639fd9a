"""Flags of the tutorial's command under ms-swift 3.7.0, in an environment of its own: make test-nightly.

What schemas/swift_flags/knowledge.yaml says of that release, seen. It stands alone: the model is made here, of a size
at which nothing is learnt, because the two releases do not read each other's tokenizers.
"""

import dataclasses
import importlib.util
import inspect
import json
import math
import os
from pathlib import Path

os.environ |= {"DS_ACCELERATOR": "cpu", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

import pytest
import torch
from swift.llm import DATASET_MAPPING, RLHFArguments, rlhf_main
from swift.plugin.loss_scale.loss_scale import IgnoreEmptyThink
from swift.trainers.rlhf_trainer.dpo_trainer import DPOTrainer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GptOssConfig, GptOssForCausalLM, PreTrainedTokenizerFast

DUMP = Path(__file__).parents[3] / "schemas" / "swift_flags" / "3.7.0.json"
SPECIAL = ["<|startoftext|>", "<|endoftext|>", "<|return|>", "<|start|>", "<|message|>", "<|end|>", "<|channel|>"]
TURNS = [
    {"role": "system", "content": "Translate."},
    {"role": "user", "content": "打开"},
    {"role": "assistant", "content": "Open"},
    {"role": "user", "content": "保存"},
    {"role": "assistant", "content": "Save"},
]
PAIR = {"messages": TURNS, "rejected_response": "Please save!"}
ANALYSIS = "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>Save"
ON_THE_CPU = """--rlhf_type dpo --use_cpu true --torch_dtype float32 --bf16 false --fp16 false --attn_impl eager
    --check_model false --report_to none"""

pytestmark = pytest.mark.filterwarnings("default")  # of an old release that is not ours to fix


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Return the folder of a gpt-oss of two layers and a tokenizer of bytes."""
    folder = tmp_path_factory.mktemp("model")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    names = {"bos_token": SPECIAL[0], "pad_token": SPECIAL[1], "eos_token": SPECIAL[2]}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_local_experts": 4, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_experts_per_tok": 2, "sliding_window": 8}
    torch.manual_seed(1)
    config = GptOssConfig(vocab_size=len(alphabet) + len(SPECIAL), max_position_embeddings=4096, **shape, **heads)
    GptOssForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def prepared(model, tmp_path, monkeypatch):
    """Return a function that prepares a training of pairs with flags, and returns its trainer before it trains."""
    trainers = []
    monkeypatch.setattr(DPOTrainer, "train", lambda self, *args, **kwargs: trainers.append(self))

    def prepare(*flags: str, pairs=(PAIR,) * 4) -> DPOTrainer:
        data = tmp_path / "pairs.jsonl"
        data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
        places = ["--model", str(model), "--dataset", str(data), "--output_dir", str(tmp_path / "output")]
        rlhf_main([*ON_THE_CPU.split(), *places, *flags])
        return trainers.pop()

    return prepare


def test_the_dump_is_the_installed_release():
    installed = {}
    for field in dataclasses.fields(RLHFArguments):
        made = field.default_factory is not dataclasses.MISSING
        installed[field.name] = field.default_factory() if made else field.default
    assert json.loads(DUMP.read_text(encoding="utf-8")) == installed


def test_train_type_is_read(prepared):
    assert trained_parts(prepared("--train_type", "lora")) != set()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("num_train_epochs", "1"),
        ("per_device_train_batch_size", "2"),
        ("gradient_accumulation_steps", "4"),
        ("save_strategy", "epoch"),
        ("save_total_limit", "5"),
        ("logging_steps", "6"),
        ("dataloader_num_workers", "4"),
    ],
)
def test_a_flag_reaches_the_trainer_as_it_is(prepared, flag, value):
    reached = getattr(prepared(f"--{flag}", value).args, flag)
    assert str(getattr(reached, "value", reached)).removesuffix(".0") == value


def test_beta_and_loss_type_unasked(prepared):
    trainer = prepared()
    assert (trainer.beta, trainer.loss_type) == (0.1, ["sigmoid"])


def first_loss(trainer: DPOTrainer) -> tuple[float, dict[str, float]]:
    """Return the loss of the first batch and what the trainer logs of it."""
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        loss, metrics = trainer.get_batch_loss_metrics(trainer.model, batch)
    return loss.item(), metrics


def test_the_nll_term_is_added_unasked(prepared):
    loss, metrics = first_loss(prepared())
    assert metrics["nll_loss"] > 1
    assert loss == pytest.approx(math.log(2) + metrics["nll_loss"], abs=1e-4)


def test_the_routers_loss_is_never_added(prepared):
    plain, _ = first_loss(prepared())
    asked, metrics = first_loss(prepared("--router_aux_loss_coef", "0.5"))
    assert asked == plain
    assert "aux_loss" not in metrics


def test_the_learning_rate_is_the_tutorials_chart(prepared):
    trainer = prepared("--learning_rate", "4e-4", "--warmup_ratio", "0.05")
    trainer.create_optimizer_and_scheduler(20)
    rates = []
    for _ in range(20):
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
        rates.append(trainer.lr_scheduler.get_last_lr()[0])
    assert [rates[step - 1] for step in (1, 5, 10, 15)] == pytest.approx([4e-4, 3.58e-4, 2.16e-4, 6.5e-5], rel=1e-2)


def trained_parts(trainer: DPOTrainer) -> set[str]:
    """Return the names of the modules of a decoder layer that have a LoRA."""
    trained = [name for name, value in trainer.model.named_parameters() if value.requires_grad]
    return {name.partition(".lora_")[0].rpartition(".")[2] for name in trained}


def test_all_linear_reaches_attention_only(prepared):
    assert trained_parts(prepared("--target_modules", "all-linear")) == {"q_proj", "k_proj", "v_proj", "o_proj"}


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
    encoded = trainer.template.encode({"messages": turns, "rejected_response": "No"})
    return trainer.template.tokenizer.decode([label for label in encoded["chosen_labels"] if label >= 0])


@pytest.mark.parametrize("answer", ["Save", ANALYSIS], ids=["plain", "with thoughts"])
def test_ignore_empty_think_changes_no_label_of_harmony_text(prepared, answer):
    turns = [*TURNS[:-1], {"role": "assistant", "content": answer}]
    plain, ignoring = prepared("--loss_scale", "default"), prepared("--loss_scale", "ignore_empty_think")
    assert labels_of(plain, turns) == labels_of(ignoring, turns)
    # It does what its name says to the text that it is for.
    assert list(IgnoreEmptyThink().loss_scale_map) == ["<think>\\s*</think>\\s*"]


def test_ignore_empty_think_masks_what_is_written_into_an_answer(prepared):
    turns = [*TURNS[:-1], {"role": "assistant", "content": "<think>\n\n</think>\n\nSave"}]
    assert "<think>" in labels_of(prepared("--loss_scale", "default"), turns)
    assert "<think>" not in labels_of(prepared("--loss_scale", "ignore_empty_think"), turns)


def test_ignore_empty_think_lets_earlier_turns_count(prepared):
    assert "Open" not in labels_of(prepared(), TURNS)
    assert "Open" in labels_of(prepared("--loss_scale", "ignore_empty_think"), TURNS)


def test_the_prompt_holds_one_day_for_ever(prepared):
    trainer = prepared()
    prompt = trainer.template.tokenizer.decode(trainer.template.encode(PAIR)["chosen_input_ids"])
    assert "Current date: 2025-08-06\n" in prompt


def test_a_name_reaches_self_cognition_data_only(prepared):
    turns = [{"role": "user", "content": "{{NAME}}?"}, {"role": "assistant", "content": "{{AUTHOR}}"}]
    pairs = [{**PAIR, "messages": turns}] * 4
    named = prepared("--model_name", "swift-robot", "--model_author", "swift", pairs=pairs)
    own = [subset.preprocess_func for subset in DATASET_MAPPING["self-cognition"].subsets]
    assert {(function.name, function.author) for function in own} == {(("swift-robot",) * 2, ("swift",) * 2)}
    text = named.template.tokenizer.decode(named.train_dataset[0]["chosen_input_ids"])
    assert "{{NAME}}?" in text
    assert "{{AUTHOR}}" in text


def test_nothing_is_held_out_unasked(prepared):
    trainer = prepared("--save_strategy", "epoch", "--per_device_eval_batch_size", "1")
    assert trainer.eval_dataset is None
    assert trainer.args.eval_strategy == "no"


def test_a_longer_pair_leaves_the_training(prepared):
    long = {**PAIR, "rejected_response": "Please save! " * 200}
    assert len(prepared("--max_length", "1000", pairs=[PAIR, long, PAIR]).train_dataset) == 2


def test_a_row_that_cannot_be_read_leaves_unless_strict(prepared):
    broken = {**PAIR, "messages": [{"role": "nobody", "content": "?"}]}
    assert len(prepared(pairs=[PAIR, broken, PAIR]).train_dataset) == 2
    with pytest.raises(Exception, match="nobody"):
        prepared("--strict", "true", pairs=[PAIR, broken, PAIR])


def test_a_pair_of_equal_answers_leaves_the_training(prepared):
    equal = {**PAIR, "rejected_response": "Save"}
    assert len(prepared(pairs=[PAIR, equal, PAIR]).train_dataset) == 2


def test_a_run_gets_a_folder_of_its_own(prepared, tmp_path):
    assert Path(prepared().args.output_dir).name.startswith("v0-")
    assert Path(prepared("--add_version", "false").args.output_dir) == tmp_path / "output"


def test_zero3_shards_the_parameters(monkeypatch):
    args = RLHFArguments.__new__(RLHFArguments)
    args.deepspeed, args.zero_hpz_partition_size, args.deepspeed_autotp_size = "zero3", None, None
    args._init_deepspeed()
    assert args.deepspeed["zero_optimization"]["stage"] == 3


def test_swanlab_knows_cloud_and_local_only(prepared, capsys):
    with pytest.raises(SystemExit):
        prepared("--swanlab_mode", "offline")
    assert "invalid choice: 'offline' (choose from 'cloud', 'local')" in capsys.readouterr().err


def test_liger_stops_where_it_is_not_installed(prepared):
    if importlib.util.find_spec("liger_kernel"):
        pytest.skip("liger-kernel is installed here")
    with pytest.raises(AssertionError, match="use_liger_kernel requires liger_kernels"):
        prepared("--use_liger_kernel", "true")


def test_there_is_no_liger_dpo_loss():
    assert "liger" not in inspect.getsource(inspect.getmodule(DPOTrainer)).lower()
