"""Refuse to run Python code that lies in a model folder, which ms-swift allows by default."""

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
