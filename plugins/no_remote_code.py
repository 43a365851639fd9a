"""Refuse to run Python code that lies in a model folder, which ms-swift allows by default, and in vLLM always."""

from importlib.util import find_spec
from typing import Any

from swift.model import model_meta
from swift.model.register import ModelLoader
from transformers import AutoConfig


class OwnConfig(AutoConfig):
    """Reads config.json, and never the code that it names; ms-swift asks for that code whatever its settings are."""

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Return the configuration, of a class that transformers has."""
        return super().from_pretrained(*args, **(kwargs | {"trust_remote_code": False}))


ModelLoader.default_trust_remote_code = False
model_meta.AutoConfig = OwnConfig

if find_spec("vllm"):  # in its own environment alone
    from swift.infer_engine import VllmEngine

    _prepare_arguments = VllmEngine._prepare_engine_kwargs

    def prepare_arguments(self: Any, *args: Any, **kwargs: Any) -> None:
        """Write the arguments of vLLM's engine, which is made from them afterwards."""
        _prepare_arguments(self, *args, **kwargs)
        self.engine_args.trust_remote_code = False

    VllmEngine._prepare_engine_kwargs = prepare_arguments
