"""A gpt-oss of any shape, without weights: its config, its tokenizer, and its generation settings."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, GptOssConfig, PreTrainedTokenizerFast

from pipeline.models.system_message import INSTRUCTIONS, write_system

SPECIAL_TOKENS = [
    "<|startoftext|>",
    "<|endoftext|>",
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
    "<|endofprompt|>",
]
# gpt-oss's positions, for a shorter context: 2048 tokens stretched to 4096 (the real one: 4096 to 131072).
YARN = {
    "rope_type": "yarn",
    "factor": 2.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 2048,
    "rope_theta": 150000.0,
}
# The pattern that splits text into words before BPE: that of o200k_harmony, gpt-oss's encoding (openai_public.py in
# tiktoken), so that a tool which knows gpt-oss's tokenizer may be told that this is one. Words begin with capitals and
# end with small letters; numbers have up to three digits; then come punctuation, line ends, spaces.
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
BEFORE, ENDING = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
WORDS = "|".join(
    (
        rf"{BEFORE}{UPPER}*{LOWER}+{ENDING}",
        rf"{BEFORE}{UPPER}+{LOWER}*{ENDING}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def texts_of(pairs: list[dict[str, Any]]) -> list[str]:
    """Return every text of pairs or conversations: the turns and the rejected answers."""
    turns = [message["content"] for pair in pairs for message in pair["messages"]]
    return [*turns, *(pair["rejected_response"] for pair in pairs if "rejected_response" in pair)]


def build_tokenizer(texts: list[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of `vocab_size` tokens, harmony's special tokens included.

    It sees the system message as often as a text, as the model does: its words are then tokens, and sequences are half
    as long.
    """
    before = INSTRUCTIONS + write_system("$date", "medium")
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*texts, *[before] * len(texts)], trainer)
    bpe.add_special_tokens(SPECIAL_TOKENS)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<|startoftext|>",
        eos_token="<|return|>",
        pad_token="<|endoftext|>",
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a tokenizer's files, under the class that gpt-oss's own names.

    transformers 5 would name TokenizersBackend, which transformers 4, llama.cpp and others do not know.
    """
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    config.pop("backend", None)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def describe_model(tokenizer: PreTrainedTokenizerFast, shape: dict[str, Any], vocabulary: int) -> GptOssConfig:
    """Return the config of a gpt-oss of the given shape, with embeddings of `vocabulary` tokens."""
    return GptOssConfig(
        architectures=["GptOssForCausalLM"],
        vocab_size=vocabulary,
        hidden_size=shape["hidden_size"],
        intermediate_size=shape["intermediate_size"],
        num_hidden_layers=shape["layers"],
        num_local_experts=shape["experts"],
        num_experts_per_tok=shape["experts_per_token"],
        num_attention_heads=shape["attention_heads"],
        num_key_value_heads=shape["key_value_heads"],
        head_dim=shape["head_size"],
        sliding_window=shape["sliding_window"],
        initializer_range=shape["initial_scale"],
        max_position_embeddings=4096,
        rope_parameters=YARN,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def describe_generation(tokenizer: PreTrainedTokenizerFast) -> GenerationConfig:
    """Return the generation settings: greedy, with the end tokens of gpt-oss."""
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids(["<|return|>", "<|endoftext|>", "<|call|>"]),
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
    )
