"""Fixtures of the tests that run in the training environment: envs/with-training python -m pytest."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.launch.run_swift import OFFLINE

ROOT = Path(__file__).parents[2]
os.chdir(ROOT)
os.environ.setdefault("DS_ACCELERATOR", "cpu")


os.environ.update(OFFLINE)  # before ms-swift is imported, which reads it then

SHAPE = {
    "layers": 2,
    "hidden_size": 16,
    "intermediate_size": 16,
    "experts": 4,
    "experts_per_token": 2,
    "attention_heads": 2,
    "key_value_heads": 1,
    "head_size": 8,
    "sliding_window": 8,
    "vocab_size": 600,
    "initial_scale": 0.02,
    "conversations": None,
    "turn_steps": 0,
    "turn_batch_size": 2,
    "training_steps": 2,
    "batch_size": 2,
    "learning_rate": 0.01,
    "seed": 1,
}


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> list[Path]:
    """Build a very small model twice from the same pairs, in bfloat16; return both folders."""
    from pipeline.files.folder_manifest import manifest_beside, write_manifest
    from scripts.build_tiny_model import build_taught_model

    folder = tmp_path_factory.mktemp("model")
    train = folder / "train.jsonl"
    pair = {
        "messages": [{"role": "user", "content": "保存"}, {"role": "assistant", "content": "Save"}],
        "rejected_response": "Please save!",
    }
    train.write_text((json.dumps(pair) + "\n") * 4, encoding="utf-8")
    folders = [folder / name / "model" for name in ("first", "second")]
    for target in folders:
        target.parent.mkdir()
        settings = {"model": {"tiny": SHAPE}, "prompt": {"date": "2020-02-02", "reasoning_effort": "medium"}}
        build_taught_model(train, settings, target).bfloat16().save_pretrained(target)
        write_manifest(target, manifest_beside(target))
    return folders


@pytest.fixture(scope="session")
def packed_and_plain(tmp_path_factory) -> tuple[Path, Path]:
    """Return the folder of a small model with packed experts, and of the same in bfloat16; without a tokenizer."""
    from pipeline.models.dequantised_folder import write_plain
    from tests.support.model_folders import write_model_folder

    folder = tmp_path_factory.mktemp("packed")
    (folder / "plain").mkdir()
    write_plain(write_model_folder(folder / "packed"), folder / "plain")
    return folder / "packed", folder / "plain"


@pytest.fixture(autouse=True)
def transformers_as_it_was():
    """Have transformers load packed models as it does by itself, also after a test in which they were kept packed."""
    from transformers import modeling_utils

    finish = modeling_utils.PreTrainedModel._finalize_model_loading
    yield
    modeling_utils.PreTrainedModel._finalize_model_loading = staticmethod(finish)
    if module := sys.modules.get("pipeline.models.packed_experts"):
        module.modeling_gpt_oss.GptOssMLP.__init__ = module._build_layer
        modeling_utils.get_hf_quantizer = module._find_quantizer


@pytest.fixture(scope="session")
def gpt_oss(tmp_path_factory) -> Path:
    """Return a folder with gpt-oss's own tokenizer."""
    from tests.support.golden_prompts import write_tokenizer

    folder = tmp_path_factory.mktemp("gpt-oss")
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def harmony(tmp_path_factory):
    """Return openai-harmony's encoding of gpt-oss, with the vocabulary that the tokenizer is built of."""
    from openai_harmony import HarmonyEncodingName, load_harmony_encoding

    from tools.build_gpt_oss_tokenizer import read_vocabulary

    folder = tmp_path_factory.mktemp("encodings")
    (folder / "o200k_base.tiktoken").write_bytes(read_vocabulary())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_ENCODINGS_BASE", str(folder))
        return load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)


@pytest.fixture
def compiler() -> None:
    """See that torch finds what it compiles with on a CPU; it is Debian's, installed if need be."""
    if not shutil.which("g++"):
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "g++"], check=True)


@pytest.fixture
def plugins_leave_no_trace(monkeypatch) -> None:
    """Undo after a test what plugins/ change in ms-swift, TRL and transformers."""
    from swift import rlhf_trainers
    from swift.dataloader import BatchSamplerShard
    from swift.model.register import ModelLoader
    from swift.template.templates.llm import GptTemplate
    from swift.trainers import SwiftMixin
    from torch.utils.data import BatchSampler
    from transformers import PreTrainedModel

    preferences = [rlhf_trainers.CPOTrainer.__bases__[-1], rlhf_trainers.ORPOTrainer.__bases__[-1]]
    changed = [(trainer, "concatenated_forward") for trainer in [rlhf_trainers.DPOTrainer, *preferences]]
    changed += [(rlhf_trainers.DPOTrainer, "get_batch_loss_metrics"), (SwiftMixin, "train")]
    changed += [(BatchSamplerShard, "__init__"), (BatchSamplerShard, "__iter__"), (BatchSampler, "__iter__")]
    changed += [(rlhf_trainers.rlhf_mixin, "selective_log_softmax"), (GptTemplate, "_get_gpt_oss_prefix")]
    for owner, name in [*changed, (ModelLoader, "default_trust_remote_code")]:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    for name in ("_load_pretrained_model", "_finalize_model_loading"):
        monkeypatch.setattr(PreTrainedModel, name, staticmethod(getattr(PreTrainedModel, name)))
