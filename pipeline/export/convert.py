"""Write a gpt-oss as GGUF with llama.cpp's converter, which is in the serving environment alone (envs/with-serving)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import torch
from conversion.gpt_oss import GptOssModel

from pipeline.export.split_pattern import NAME


class TunedModel(GptOssModel):  # type: ignore[misc]
    """llama.cpp's converter of gpt-oss, told what it would guess: the tokenizer's name and the chat template."""

    model_arch = GptOssModel.model_arch
    template = ""

    def get_vocab_base_pre(self, _tokenizer: Any) -> str:
        """Return the name of the pattern that splits words, which split_pattern.py has compared."""
        return NAME

    def set_vocab(self) -> None:
        """Write the tokenizer, with the frozen chat template in place of the folder's."""
        super().set_vocab()
        self.gguf_writer.add_chat_template(self.template)

    def get_tensors(self) -> Iterator[tuple[str, Any]]:
        """Yield the tensors by name, so that the scales of packed weights come next to their blocks, in any files."""
        yield from sorted(super().get_tensors(), key=lambda item: item[0])


def convert(model: Path, name: str, template: str, target: Path) -> None:
    """Write a model as GGUF: packed experts as MXFP4, other matrices in bfloat16, the rest in float32.

    The model's card is not read: it is written after the model, and the bytes are not to depend on it.
    """
    with torch.inference_mode():
        converter = TunedModel(model, gguf.LlamaFileType.MOSTLY_BF16, target, model_name=name)
        converter.dir_model_card = None
        converter.template = template
        converter.write()
