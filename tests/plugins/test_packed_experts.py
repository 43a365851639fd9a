"""plugins/packed_experts.py: a packed model is loaded as the same model in bfloat16 is, and never by code of a hub."""

import runpy

import pytest
import torch
from transformers import AutoModelForCausalLM, Mxfp4Config, PreTrainedModel
from transformers.quantizers import quantizer_mxfp4

from pipeline.models.dequantised_folder import write_plain
from tests.support.model_folders import write_model_folder

pytestmark = pytest.mark.training_environment

QUANTISER = quantizer_mxfp4.Mxfp4HfQuantizer


@pytest.fixture
def plugin(monkeypatch):
    """Load the plugin, and take it back."""
    for place, name in ((PreTrainedModel, "_finalize_model_loading"), (QUANTISER, "validate_environment")):
        monkeypatch.setattr(place, name, place.__dict__[name])
    runpy.run_path("plugins/packed_experts.py")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a packed model, and the same in bfloat16."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "plain").mkdir()
    write_plain(write_model_folder(folder / "packed"), folder / "plain")
    return folder / "packed", folder / "plain"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_every_weight_is_that_of_the_dequantised_model_in_the_type_that_was_asked_for(plugin, folders, dtype):
    packed, plain = (dict(AutoModelForCausalLM.from_pretrained(one, dtype=dtype).named_parameters()) for one in folders)
    assert packed.keys() == plain.keys()
    assert {weight.dtype for weight in packed.values()} == {dtype}
    assert [name for name, weight in packed.items() if not torch.equal(weight, plain[name])] == []


def test_a_machine_that_could_fetch_kernels_from_a_hub_dequantises_too(monkeypatch, plugin):
    for name in ("is_triton_available", "is_kernels_available"):
        monkeypatch.setattr(quantizer_mxfp4, name, lambda *_: True)
    quantiser = QUANTISER(Mxfp4Config())
    quantiser.validate_environment()
    assert quantiser.quantization_config.dequantize
