"""A gpt-oss of any shape, without weights: its config, its tokenizer, and its generation settings."""

from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, GptOssConfig, PreTrainedTokenizerFast

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
# The pattern that splits text into words before BPE, in o200k_harmony's terms: words, numbers of up to
# three digits, punctuation, line ends, spaces.
WORDS = Regex(r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def texts_of(pairs: list[dict[str, Any]]) -> list[str]:
    """Return every text of the pairs: the turns and the rejected answers."""
    turns = [message["content"] for pair in pairs for message in pair["messages"]]
    return [*turns, *(pair["rejected_response"] for pair in pairs)]


def build_tokenizer(texts: list[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of `vocab_size` tokens, harmony's special tokens included."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(WORDS, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.add_special_tokens(SPECIAL_TOKENS)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<|startoftext|>",
        eos_token="<|return|>",
        pad_token="<|endoftext|>",
    )


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
