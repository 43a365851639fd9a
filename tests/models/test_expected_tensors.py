"""models/expected_tensors.py: the tensors that a config.json implies."""

import pytest

from pipeline.models.expected_tensors import expect_tensors, is_packed
from pipeline.models.shape import PUBLISHED
from tests.support.model_folders import PACKED

# Of the published gpt-oss-20b, packed.
SEEN = {
    "model.embed_tokens.weight": "BF16 [201088, 2880]",
    "model.layers.23.self_attn.sinks": "BF16 [64]",
    "model.layers.23.self_attn.q_proj.weight": "BF16 [4096, 2880]",
    "model.layers.23.self_attn.q_proj.bias": "BF16 [4096]",
    "model.layers.23.self_attn.k_proj.weight": "BF16 [512, 2880]",
    "model.layers.23.self_attn.o_proj.weight": "BF16 [2880, 4096]",
    "model.layers.23.self_attn.o_proj.bias": "BF16 [2880]",
    "model.layers.23.mlp.router.weight": "BF16 [32, 2880]",
    "model.layers.23.mlp.router.bias": "BF16 [32]",
    "model.layers.23.mlp.experts.gate_up_proj_blocks": "U8 [32, 5760, 90, 16]",
    "model.layers.23.mlp.experts.gate_up_proj_scales": "U8 [32, 5760, 90]",
    "model.layers.23.mlp.experts.gate_up_proj_bias": "BF16 [32, 5760]",
    "model.layers.23.mlp.experts.down_proj_blocks": "U8 [32, 2880, 90, 16]",
    "model.layers.23.mlp.experts.down_proj_scales": "U8 [32, 2880, 90]",
    "model.layers.23.mlp.experts.down_proj_bias": "BF16 [32, 2880]",
    "model.layers.23.input_layernorm.weight": "BF16 [2880]",
    "model.norm.weight": "BF16 [2880]",
    "lm_head.weight": "BF16 [201088, 2880]",
}


@pytest.mark.parametrize(("config", "count"), [(PACKED, 459), ({}, 411)])
def test_the_published_model_has_so_many_tensors(config, count):
    assert len(expect_tensors(PUBLISHED, config)) == count


@pytest.mark.parametrize("name", SEEN)
def test_a_tensor_of_the_packed_model_has_its_published_type_and_shape(name):
    assert str(expect_tensors(PUBLISHED, PACKED)[name]) == SEEN[name]


def test_in_bfloat16_an_expert_has_its_inputs_before_its_outputs():
    tensors = expect_tensors(PUBLISHED, {})
    assert str(tensors["model.layers.0.mlp.experts.gate_up_proj"]) == "BF16 [32, 2880, 5760]"
    assert str(tensors["model.layers.0.mlp.experts.down_proj"]) == "BF16 [32, 2880, 2880]"


def test_both_formats_have_as_many_weights_as_the_shape():
    weights = sum(kind.size for kind in expect_tensors(PUBLISHED, {}).values()) // 2
    assert weights == PUBLISHED.parameters


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_the_type_is_the_one_that_config_json_says(key):
    assert str(expect_tensors(PUBLISHED, {key: "float32"})["model.norm.weight"]) == "F32 [2880]"


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        ({"tie_word_embeddings": True}, "lm_head.weight"),
        ({"attention_bias": False}, "model.layers.0.self_attn.q_proj.bias"),
    ],
)
def test_a_config_that_leaves_something_out_implies_no_tensor_for_it(config, missing):
    assert missing not in expect_tensors(PUBLISHED, config)


@pytest.mark.parametrize(
    "config", [{}, {"quantization_config": None}, {"quantization_config": {"quant_method": "fp8"}}]
)
def test_only_mxfp4_is_packed(config):
    assert not is_packed(config)
