"""The tensors of a gpt-oss: name, type and shape of each, as its config.json implies, in bfloat16 or packed (MXFP4)."""

from typing import Any

from pipeline.models.shape import Shape
from pipeline.models.weight_file import Kind

PACKED_TYPE = "mxfp4"
BLOCK = 32  # inputs that share a scale, in 16 bytes (pipeline/models/mxfp4.py)
TYPES = {"bfloat16": "BF16", "float32": "F32"}  # config.json's words
BLOCKS, SCALES = "_blocks", "_scales"  # ends of names: the two parts of packed weights


def is_packed(config: dict[str, Any]) -> bool:
    """Say whether the experts of a model with this config.json are packed."""
    quantisation = config.get("quantization_config")
    return isinstance(quantisation, dict) and quantisation.get("quant_method") == PACKED_TYPE


def is_part(name: str) -> bool:
    """Say whether a tensor is a part of packed weights."""
    return name.endswith((BLOCKS, SCALES))


def type_of(config: dict[str, Any]) -> str:
    """Return the type of the tensors that are not packed. The published config.json does not say it: bfloat16."""
    return TYPES[config.get("dtype") or config.get("torch_dtype") or "bfloat16"]


def expect_tensors(shape: Shape, config: dict[str, Any]) -> dict[str, Kind]:
    """Return every tensor of a model of this shape, with this config.json, by name."""
    plain, hidden = type_of(config), shape.hidden
    tensors = {"model.embed_tokens.weight": Kind(plain, (shape.vocabulary, hidden))}
    for layer in range(shape.layers):
        within = {
            **expect_attention(shape, plain, bool(config.get("attention_bias", True))),
            "mlp.router.weight": Kind(plain, (shape.experts, hidden)),
            "mlp.router.bias": Kind(plain, (shape.experts,)),
            **expect_experts(shape, plain, is_packed(config)),
            "input_layernorm.weight": Kind(plain, (hidden,)),
            "post_attention_layernorm.weight": Kind(plain, (hidden,)),
        }
        tensors |= {f"model.layers.{layer}.{name}": kind for name, kind in within.items()}
    tensors["model.norm.weight"] = Kind(plain, (hidden,))
    if not config.get("tie_word_embeddings"):
        tensors["lm_head.weight"] = Kind(plain, (shape.vocabulary, hidden))
    return tensors


def expect_attention(shape: Shape, plain: str, biased: bool) -> dict[str, Kind]:
    """Return the tensors of the attention of a layer."""
    tensors = {"self_attn.sinks": Kind(plain, (shape.heads,))}
    for name, (inputs, outputs) in shape.projections.items():
        tensors[f"self_attn.{name}.weight"] = Kind(plain, (outputs, inputs))
        if biased:
            tensors[f"self_attn.{name}.bias"] = Kind(plain, (outputs,))
    return tensors


def expect_experts(shape: Shape, plain: str, packed: bool) -> dict[str, Kind]:
    """Return the tensors of the experts of a layer."""
    tensors = {}
    for name, (inputs, outputs) in shape.bare.items():
        place = f"mlp.experts.{name}"
        if packed:
            blocks = (shape.experts, outputs, inputs // BLOCK)
            tensors[f"{place}{BLOCKS}"] = Kind("U8", (*blocks, BLOCK // 2))
            tensors[f"{place}{SCALES}"] = Kind("U8", blocks)
        else:
            tensors[place] = Kind(plain, (shape.experts, inputs, outputs))
        tensors[f"{place}_bias"] = Kind(plain, (shape.experts, outputs))
    return tensors
