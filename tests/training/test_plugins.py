"""plugins/: what each changes in ms-swift, seen on ms-swift itself."""

import importlib
import math
import os
import runpy

import pytest
import torch
from render_chat import load_renderer
from transformers import AutoTokenizer

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


def test_the_prompt_holds_the_frozen_date_and_only_the_answer_is_trained(built):
    ids, labels = load_renderer(built[0], "2020-02-02")(MESSAGES)
    decode = AutoTokenizer.from_pretrained(built[0]).decode
    answer = "<|channel|>final<|message|>Save<|return|>"
    assert decode(ids) == (
        f"{PREFIX}<|start|>developer<|message|># Instructions\n\nTranslate.<|end|>"
        f"<|start|>user<|message|>保存<|end|><|start|>assistant{answer}"
    )
    assert decode([label for label in labels if label >= 0]) == answer


def test_a_template_without_a_date_line_is_reported(monkeypatch):
    from swift.template.templates.llm import GptTemplate

    monkeypatch.setattr(GptTemplate, "_get_gpt_oss_prefix", lambda self: "no date here")
    runpy.run_path("plugins/frozen_date.py")
    with pytest.raises(RuntimeError, match="no single date line"):
        GptTemplate._get_gpt_oss_prefix(None)


def test_log_probabilities_are_summed_in_float32():
    import swift.rlhf_trainers.rlhf_mixin as mixin

    # 200 tokens of a vocabulary of 2, all equally likely: the sum is 200 ln 1/2 = -138.63.
    logits = torch.zeros(1, 200, 2, dtype=torch.bfloat16)
    index = torch.zeros(1, 200, dtype=torch.long)
    plain = mixin.selective_log_softmax(logits, index).sum().item()
    assert plain == -138.0 or plain == -139.0  # bfloat16 counts in whole numbers here
    runpy.run_path("plugins/fp32_logps.py")
    assert mixin.selective_log_softmax(logits, index).sum().item() == pytest.approx(-200 * math.log(2), abs=1e-3)


def test_code_in_a_model_folder_is_not_run(built, tmp_path):
    import json
    import shutil

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
    assert not trace.exists()


def test_deepspeed_may_run_without_an_accelerator(monkeypatch):
    from accelerate.state import DistributedType, PartialState

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU, where the plugin does nothing")
    monkeypatch.setattr(PartialState, "_prepare_backend", PartialState._prepare_backend)
    backend = importlib.import_module("deepspeed.comm.torch")
    monkeypatch.setattr(backend, "build_shm_op", backend.build_shm_op)
    monkeypatch.setitem(os.environ, "LOCAL_RANK", "0")
    runpy.run_path("plugins/cpu_zero3.py")
    assert backend.build_shm_op() is None  # nothing is compiled
    assert PartialState._prepare_backend(object(), False, False, None) == ("gloo", DistributedType.MULTI_CPU)


@pytest.mark.parametrize(("rows", "loaded"), [("2", True), ("3", False)])
def test_a_trainer_with_other_rows_than_it_was_given_does_not_start(monkeypatch, rows, loaded):
    from swift.rlhf_trainers import DPOTrainer

    monkeypatch.setattr(DPOTrainer, "train", lambda self: "trained")
    monkeypatch.setenv("TRAIN_ROWS", rows)
    monkeypatch.setenv("VAL_ROWS", "0")
    runpy.run_path("plugins/count_rows.py")
    trainer = DPOTrainer.__new__(DPOTrainer)
    trainer.train_dataset, trainer.eval_dataset = ["a", "b"], None
    if loaded:
        assert trainer.train() == "trained"
    else:
        with pytest.raises(RuntimeError, match="ms-swift loaded 2 rows of 3"):
            trainer.train()
