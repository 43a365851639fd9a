"""plugins/: what each changes in ms-swift, seen on ms-swift itself."""

import importlib
import math
import runpy
import shutil
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from swift import rlhf_trainers
from swift.rlhf_trainers import rlhf_mixin
from transformers import AutoTokenizer

from pipeline.launch.contract import Contract
from pipeline.models.render_chat import load_pair_encoder, load_renderer

pytestmark = pytest.mark.training_environment

MESSAGES = [
    {"role": "system", "content": "Translate."},
    {"role": "user", "content": "保存"},
    {"role": "assistant", "content": "Save"},
]
PREFIX = (
    "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
    "Knowledge cutoff: 2024-06\nCurrent date: 2020-02-02\n\nReasoning: medium\n\n"
    "# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>"
)


def prompt(effort="medium"):
    """Return the settings of a prompt."""
    return {"date": "2020-02-02", "reasoning_effort": effort}


def test_the_prompt_holds_the_frozen_date_and_only_the_answer_is_trained(built):
    ids, labels = load_renderer(built[0], prompt())({"messages": MESSAGES})
    decode = AutoTokenizer.from_pretrained(built[0]).decode
    answer = "<|channel|>final<|message|>Save<|return|>"
    assert decode(ids) == (
        f"{PREFIX}<|start|>developer<|message|># Instructions\n\nTranslate.<|end|>"
        f"<|start|>user<|message|>保存<|end|><|start|>assistant{answer}"
    )
    assert decode([label for label in labels if label >= 0]) == answer


@pytest.mark.parametrize(
    ("row", "effort"), [({}, "low"), ({"chat_template_kwargs": {"reasoning_effort": "high"}}, "high")]
)
def test_the_effort_is_that_of_the_settings_unless_a_row_has_its_own(built, row, effort):
    ids, _ = load_renderer(built[0], prompt("low"))({"messages": MESSAGES} | row)
    assert f"\nReasoning: {effort}\n" in AutoTokenizer.from_pretrained(built[0]).decode(ids)


@pytest.mark.parametrize("thinking", ["", "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"])
def test_with_the_loss_scale_final_only_the_text_of_the_final_channel_counts(built, thinking):
    answer = f"{thinking}<|channel|>final<|message|>Save"
    pair = {"messages": [*MESSAGES[:-1], {"role": "assistant", "content": answer}], "rejected_response": "Store"}
    encoded = load_pair_encoder(built[0], prompt(), loss_scale="last_round+final")(pair)
    decode = AutoTokenizer.from_pretrained(built[0]).decode
    for side, text in (("chosen", "Save"), ("rejected", "Store")):
        assert decode([label for label in encoded[f"{side}_labels"] if label >= 0]) == f"{text}<|return|>"


class EvenModel(torch.nn.Module):
    """All of a vocabulary of 2 is equally likely, in bfloat16: 200 tokens have 200 ln 1/2 = -138.63."""

    def forward(self, input_ids, **_):
        """Return logits of shape (batch, length, 2)."""
        return SimpleNamespace(logits=torch.zeros(*input_ids.shape, 2, dtype=torch.bfloat16))


def trainer_of(kind: str, **settings):
    """Return one of ms-swift's trainers with no more than it needs to read log-probabilities off a model."""
    trainer = getattr(rlhf_trainers, f"{kind}Trainer")
    bare = trainer.__new__(trainer)
    template = SimpleNamespace(sequence_parallel_size=1, padding_free=False)
    plain = {"is_encoder_decoder": False, "aux_loss_enabled": False, "label_pad_token_id": -100, "template": template}
    plain |= {"get_use_logits_to_keep": lambda default: False, "args": SimpleNamespace(ld_alpha=None)}
    bare.__dict__ |= plain | {"pad_token_id": 0, "padding_value": 0, "cpo_alpha": 1.0} | settings
    bare.accelerator = SimpleNamespace(device="cpu")
    return bare


def chosen_logp(kind: str, **settings) -> float:
    """Return the log-probability of 200 tokens, or their mean for ORPO and SimPO, as a kind of trainer computes it."""
    batch = {"input_ids": torch.zeros(2, 201, dtype=torch.long), "labels": torch.zeros(2, 201, dtype=torch.long)}
    batch["labels"][:, 0] = -100
    trainer, model = trainer_of(kind, **settings), EvenModel()
    if kind == "DPO":
        return trainer.concatenated_forward(model, batch)["chosen_logps"].item()
    if kind == "KTO":
        rows = {f"completion_{name}": tensor for name, tensor in batch.items()} | {"label": [True, False]}
        return trainer.forward(model, rows)[0].item()
    return trainer.concatenated_forward(model, batch | {"attention_mask": torch.ones(2, 201)})[0][0].item()


KINDS = [
    ("DPO", {}, 200),
    ("KTO", {"calculate_KL": False}, 200),
    ("CPO", {"loss_type": "sigmoid"}, 200),
    ("CPO", {"loss_type": "simpo"}, 1),
    ("ORPO", {}, 1),
]


@pytest.fixture
def plugin_undone(monkeypatch):
    """Undo after a test what fp32_logps changes in ms-swift and TRL."""
    monkeypatch.setattr(rlhf_mixin, "selective_log_softmax", rlhf_mixin.selective_log_softmax)
    for trainer in (rlhf_trainers.CPOTrainer, rlhf_trainers.ORPOTrainer):
        base = trainer.__bases__[-1]
        monkeypatch.setattr(base, "concatenated_forward", base.concatenated_forward)


@pytest.mark.usefixtures("plugin_undone")
@pytest.mark.parametrize(("kind", "settings", "tokens"), KINDS)
def test_each_trainer_sums_log_probabilities_in_float32(kind, settings, tokens):
    exact = -tokens * math.log(2)
    assert abs(chosen_logp(kind, **settings) - exact) > 1e-3 * tokens  # bfloat16 has 8 bits
    runpy.run_path("plugins/fp32_logps.py")
    assert chosen_logp(kind, **settings) == pytest.approx(exact, rel=1e-6)


@pytest.mark.usefixtures("plugin_undone")
def test_the_negative_log_likelihood_that_cpo_adds_is_in_float32_too():
    batch = {"input_ids": torch.zeros(2, 201, dtype=torch.long), "labels": torch.zeros(2, 201, dtype=torch.long)}
    batch["attention_mask"] = torch.ones(2, 201)
    runpy.run_path("plugins/fp32_logps.py")
    nll = trainer_of("CPO", loss_type="sigmoid").concatenated_forward(EvenModel(), batch)[4]
    assert nll.item() == pytest.approx(math.log(2), rel=1e-6)


def test_code_in_a_model_folder_is_not_run(built, tmp_path):
    import json

    from swift import get_processor

    folder = tmp_path / "model"
    shutil.copytree(built[0], folder)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    trace = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass Evil: pass\n", encoding="utf-8")
    runpy.run_path("plugins/no_remote_code.py")
    with pytest.raises(ValueError, match="trust_remote_code"):
        get_processor(str(folder))
    assert not trace.exists()


def test_a_config_in_a_model_folder_runs_no_code(built, tmp_path):
    import json
    import shutil

    from swift import get_processor
    from swift.model import model_meta

    folder = tmp_path / "model"
    shutil.copytree(built[0], folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {
        "auto_map": {"AutoConfig": "evil.Evil"}
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    trace = tmp_path / "ran"
    code = f"open({str(trace)!r}, 'w').close()\nfrom transformers import GptOssConfig\nclass Evil(GptOssConfig): pass\n"
    (folder / "evil.py").write_text(code, encoding="utf-8")
    runpy.run_path("plugins/no_remote_code.py")
    get_processor(str(folder))
    model_meta.AutoConfig.from_pretrained(str(folder), trust_remote_code=True)  # as ms-swift asks for it
    assert not trace.exists()


@pytest.fixture
def one_of_several(monkeypatch) -> None:
    """Be a process that torchrun started on a machine without a GPU; undo afterwards what cpu_zero3 changes."""
    from accelerate.state import PartialState
    from transformers import training_args

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU, where the plugin does nothing")
    monkeypatch.setenv("LOCAL_RANK", "0")
    backend = importlib.import_module("deepspeed.comm.torch")
    for owner, name in (
        (PartialState, "_prepare_backend"),
        (training_args, "is_torch_bf16_gpu_available"),
        (backend, "build_shm_op"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))


@pytest.mark.usefixtures("one_of_several")
def test_deepspeed_may_run_without_an_accelerator():
    from accelerate.state import DistributedType, PartialState
    from transformers import training_args

    runpy.run_path("plugins/cpu_zero3.py")
    assert training_args.is_torch_bf16_gpu_available()
    assert importlib.import_module("deepspeed.comm.torch").build_shm_op() is None  # nothing is compiled
    assert PartialState._prepare_backend(object(), False, False, None) == ("gloo", DistributedType.MULTI_CPU)


@pytest.mark.usefixtures("one_of_several")
def test_a_backend_that_accelerate_finds_by_itself_is_kept(monkeypatch):
    from accelerate.state import PartialState

    monkeypatch.setattr(PartialState, "_prepare_backend", lambda self, cpu, backend=None: (backend, cpu))
    runpy.run_path("plugins/cpu_zero3.py")
    assert PartialState._prepare_backend(object(), True, backend="ccl") == ("ccl", True)


# A process that is done while a thread of it goes on with tensors. Without the plugin it is aborted.
DONE_BUT_FOR_A_THREAD = """
import atexit, runpy, threading, torch
from swift.pipelines.base import SwiftPipeline

class Stage(SwiftPipeline):
    def __init__(self): pass

    def run(self):
        threading.Thread(target=go_on, daemon=True).start()
        atexit.register(print, "its handlers ran")

def go_on():
    tensor = torch.zeros(100)
    while True:
        tensor + tensor

runpy.run_path("plugins/end_at_once.py")
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, where the plugin does nothing")
def test_no_thread_aborts_a_process_that_is_done():
    program = DONE_BUT_FOR_A_THREAD + "Stage().main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["its handlers ran"]), done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, where the plugin does nothing")
def test_a_process_that_failed_ends_as_it_does_without_the_plugin():
    program = DONE_BUT_FOR_A_THREAD + "Stage.run = lambda self: 1 / 0\nStage().main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("kind", ["DPO", "KTO", "CPO", "ORPO"])
@pytest.mark.parametrize(("rows", "loaded"), [(2, True), (3, False)])
def test_a_trainer_with_other_rows_than_it_was_given_does_not_start(tmp_path, monkeypatch, kind, rows, loaded):
    from swift.callbacks import callbacks_map

    for name, value in Contract(tmp_path, rows, 0).write().items():
        monkeypatch.setenv(name, value)
    runpy.run_path("plugins/count_rows.py")
    trainer = trainer_of(kind, train_dataset=["a", "b"], eval_dataset=None)
    callback = callbacks_map["count_rows"](None, trainer)
    with nullcontext() if loaded else pytest.raises(RuntimeError, match="ms-swift loaded 2 training rows of 3"):
        callback.on_init_end(None, None, None)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_a_model_with_weights_missing_or_left_over_is_refused(built, tmp_path, monkeypatch, change):
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM, PreTrainedModel

    for name in ("_load_pretrained_model", "_finalize_model_loading"):
        monkeypatch.setattr(PreTrainedModel, name, staticmethod(getattr(PreTrainedModel, name)))
    runpy.run_path("plugins/whole_model.py")
    folder = tmp_path / "model"
    shutil.copytree(built[0], folder)
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.experts.down_proj"
    if change == "missing":
        del weights[name]
    else:
        name = "model.layers.9.self_attn.sinks"
        weights[name] = torch.zeros(2)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert AutoModelForCausalLM.from_pretrained(built[0])
    with pytest.raises(RuntimeError, match=rf"weights {change}: 1 \({name}\)"):
        AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.usefixtures("plugins_leave_no_trace")
def test_the_weights_that_are_left_over_are_looked_for_in_every_file(tmp_path):
    from safetensors.torch import save_file

    stored_keys = runpy.run_path("plugins/whole_model.py")["stored_keys"]
    for name in "ab":
        save_file({name: torch.ones(1)}, tmp_path / f"{name}.safetensors")
    assert stored_keys([str(path) for path in tmp_path.iterdir()]) == {"a", "b"}
    assert stored_keys(None) == set()


@pytest.mark.parametrize(("rows", "processes"), [(7, 4), (8, 4), (236, 2), (3, 4)])
def test_every_row_is_trained_whatever_the_number_of_processes(monkeypatch, rows, processes):
    from swift.dataloader import BatchSamplerShard

    def drawn() -> set[int]:
        found = set()
        for rank in range(processes):
            monkeypatch.setattr(BatchSamplerShard, "rank", rank)
            sampler = BatchSamplerShard(rows, 2, shuffle=True, drop_last=False, data_seed=1)
            found |= {row for batch in sampler for row in batch}
        return found

    monkeypatch.setattr(BatchSamplerShard, "world_size", processes)
    for name in ("__init__", "__iter__"):
        monkeypatch.setattr(BatchSamplerShard, name, getattr(BatchSamplerShard, name))
    assert (drawn() == set(range(rows))) == (rows % processes == 0)  # what ms-swift does by itself
    runpy.run_path("plugins/every_row.py")
    assert drawn() == set(range(rows))
