"""Whether a tokenizer splits text into words as gpt-oss's does, which llama.cpp knows under a name.

llama.cpp has the pattern in its code, and a GGUF names it. Its converter knows tokenizers by the tokens that they make
of a text, and so gpt-oss's own alone; the name is right for every tokenizer with the same pattern.
"""

from pathlib import Path

from pipeline.models.model_weights import read_object
from pipeline.models.tiny import WORDS

NAME = "gpt-4o"  # llama.cpp's for o200k's pattern


def find_split_problem(folder: Path) -> str | None:
    """Return in one line why a folder's tokenizer is not one that splits words as gpt-oss's; None if it is."""
    path = folder / "tokenizer.json"
    before = read_object(path).get("pre_tokenizer") or {}
    steps = before.get("pretokenizers", [before])
    patterns = [step["pattern"].get("Regex") for step in steps if step.get("type") == "Split"]
    if patterns == [WORDS] and [step["type"] for step in steps] == ["Split", "ByteLevel"]:
        return None
    return f"{path}: splits words by {patterns}, not as gpt-oss does, which llama.cpp would do; set export.gguf: false"
