"""Load packed experts (MXFP4) dequantised, in the type that was asked for.

transformers dequantises them itself, unless it finds the package `kernels`, which fetches code from a hub and computes
other numbers. And it leaves them in bfloat16 where the rest of the model is in float32.
"""

from typing import Any

from transformers import PreTrainedModel
from transformers.quantizers.quantizer_mxfp4 import Mxfp4HfQuantizer

from pipeline.models.shape import BARE_PARAMETERS

_finish = PreTrainedModel._finalize_model_loading


def choose_dequantised(quantizer: Any, *_: Any, **__: Any) -> None:
    """Have the experts dequantised when they are loaded, whatever the machine could do."""
    quantizer.quantization_config.dequantize = True


def finish(model: Any, load_config: Any, info: Any) -> Any:
    """End the loading, with experts that were dequantised in the type of the other weights."""
    info = _finish(model, load_config, info)
    if isinstance(load_config.hf_quantizer, Mxfp4HfQuantizer):
        for name, weight in model.named_parameters():
            if name.rpartition(".")[2] in BARE_PARAMETERS:
                weight.data = weight.data.to(load_config.dtype)
    return info


Mxfp4HfQuantizer.validate_environment = choose_dequantised
PreTrainedModel._finalize_model_loading = staticmethod(finish)
