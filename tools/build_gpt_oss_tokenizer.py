"""Build gpt-oss's own tokenizer offline, from the o200k_base vocabulary in PyPI's package bpe-openai.

    envs/with-training python -m tools.build_gpt_oss_tokenizer --folder models/gpt-oss-tokenizer

The result is checked by its SHA-256: tokenizer.json is byte for byte the one that openai/gpt-oss-20b publishes.
"""

import gzip
import hashlib
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import TikTokenConverter

from pipeline.models.tiny import WORDS
from pipeline.settings.stage import stage_parser

# The vocabulary as tiktoken's source names it (tiktoken_ext/openai_public.py, o200k_base), and tokenizer.json as
# manifests of openai/gpt-oss-20b record it (commit 6cee5e81).
VOCABULARY_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
TOKENIZER_SHA256 = "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3"

# o200k_harmony: o200k_base with these tokens after it (openai-harmony and tiktoken say the same).
FIRST_SPECIAL, LAST_SPECIAL = 199998, 200018
SPECIAL_TOKENS = {
    199998: "<|startoftext|>",
    199999: "<|endoftext|>",
    200002: "<|return|>",
    200003: "<|constrain|>",
    200005: "<|channel|>",
    200006: "<|start|>",
    200007: "<|end|>",
    200008: "<|message|>",
    200012: "<|call|>",
    200018: "<|endofprompt|>",
}


def require_sha256(name: str, content: bytes, expected: str) -> None:
    """Stop with one line if the content does not have the expected SHA-256."""
    if (found := hashlib.sha256(content).hexdigest()) != expected:
        sys.exit(f"{name}: SHA-256 is {found}, not {expected}; install the versions that envs/training.lock names")


def read_vocabulary() -> bytes:
    """Return o200k_base.tiktoken: on each line a token in base64, and its rank."""
    package = find_spec("bpe_openai")  # found, not imported: importing it reads every vocabulary that it holds
    if package is None or package.origin is None:
        sys.exit("bpe-openai, which holds gpt-oss's vocabulary, is not installed; run: make setup")
    packed = Path(package.origin).parent / "data" / "o200k_base.tiktoken.gz"
    vocabulary = gzip.decompress(packed.read_bytes())
    require_sha256("bpe_openai/data/o200k_base.tiktoken.gz", vocabulary, VOCABULARY_SHA256)
    return vocabulary


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer of gpt-oss."""
    numbers = range(FIRST_SPECIAL, LAST_SPECIAL + 1)
    special_tokens = [SPECIAL_TOKENS.get(number, f"<|reserved_{number}|>") for number in numbers]
    with tempfile.NamedTemporaryFile(suffix=".tiktoken") as vocabulary:
        vocabulary.write(read_vocabulary())
        vocabulary.flush()
        converter = TikTokenConverter(vocabulary.name, pattern=WORDS, extra_special_tokens=special_tokens)
        converted = converter.converted()
    return PreTrainedTokenizerFast(
        tokenizer_object=converted,
        bos_token="<|startoftext|>",
        eos_token="<|return|>",
        pad_token="<|endoftext|>",
    )


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--folder", type=Path, required=True, help="where tokenizer.json and its settings go")
    args = parser.parse_args(argv)

    args.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder.parent) as scratch:
        build_tokenizer().save_pretrained(scratch)
        require_sha256("tokenizer.json", Path(scratch, "tokenizer.json").read_bytes(), TOKENIZER_SHA256)
        shutil.copytree(scratch, args.folder, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
