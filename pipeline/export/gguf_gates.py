"""The gates of a GGUF: it has the folder's numbers, tokens and prompts."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gguf import GGUFReader
from transformers import AutoTokenizer

from pipeline.export.compare import find_differing, name_sources
from pipeline.export.split_pattern import NAME
from pipeline.files.json_lines import iterate_json_lines
from pipeline.gates import Gate, gate
from pipeline.launch.run_swift import Prompt
from pipeline.models.channels import CHANNEL
from pipeline.models.model_weights import is_packed_folder, read_object, read_tensors
from pipeline.models.render_chat import load_prompt_renderer, said_of

PROBES = 8  # held-out prompts
SAME = "as in the folder"


def judge_gguf(file: Path, model: Path, template: str, val: Path, prompt: Prompt) -> list[Gate]:
    """Return the gates of a GGUF that was made of a model; `val` are held-out pairs."""
    reader = GGUFReader(file)
    in_file = read_text(reader, "tokenizer.chat_template")
    return [
        *judge_tensors(reader, model),
        judge_tokens(reader, model),
        gate("gguf_template", in_file == template, "as frozen" if in_file == template else "another", "as frozen"),
        judge_prompts(in_file, model, val, prompt),
    ]


def judge_tensors(reader: GGUFReader, model: Path) -> Iterator[Gate]:
    """Yield the gates that all tensors are there with the folder's numbers: the experts', and the others."""
    found, packed = read_tensors(model), is_packed_folder(model)
    held = {source for tensor in reader.tensors for source in name_sources(tensor.name, packed)[0]}
    missing = sorted(found.keys() - held)
    for name, experts in (("gguf_experts", True), ("gguf_tensors", False)):
        tensors = [tensor for tensor in reader.tensors if tensor.name.endswith("_exps.weight") == experts]
        differing = find_differing(tensors, found, packed)
        absent = [source for source in missing if (".mlp.experts." in source and "_bias" not in source) == experts]
        kinds = ", ".join(sorted({tensor.tensor_type.name for tensor in tensors}))
        value = f"{len(tensors)} in {kinds}, as in the folder"
        if differing or absent:
            value = f"differing: {differing[:3]}, missing: {absent[:3]}"
        yield gate(name, bool(tensors) and not differing and not absent, value, "all, bit for bit")


def judge_tokens(reader: GGUFReader, model: Path) -> Gate:
    """Return the gate that tokens, merges and the name of the split pattern are those of the folder's tokenizer."""
    tokenizer = read_object(model / "tokenizer.json")
    tokens = dict(tokenizer["model"]["vocab"]) | {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    merges = [one if isinstance(one, str) else " ".join(one) for one in tokenizer["model"]["merges"]]
    in_file = reader.get_field("tokenizer.ggml.tokens").contents()
    same = {
        "tokens": all(in_file[number] == token for token, number in tokens.items()),
        "merges": reader.get_field("tokenizer.ggml.merges").contents() == merges,
        "split pattern": read_text(reader, "tokenizer.ggml.pre") == NAME,
    }
    others = [name for name, equal in same.items() if not equal]
    return gate("gguf_tokenizer", not others, f"differing: {', '.join(others)}" if others else SAME, SAME)


def judge_prompts(template: str, model: Path, val: Path, prompt: Prompt) -> Gate:
    """Return the gate that the template makes the training's prompts of held-out pairs without tools and thinking."""
    render, tokenizer = load_prompt_renderer(model, prompt), AutoTokenizer.from_pretrained(model)
    pairs = [pair for pair, _ in zip(filter(is_text, iterate_json_lines(val)), range(PROBES), strict=False)]
    differing = 0
    for pair in pairs:
        said = said_of(pair)
        ids = tokenizer.apply_chat_template(
            said["messages"][:-1],
            chat_template=template,
            add_generation_prompt=True,
            return_dict=False,
            **said.get("chat_template_kwargs", {}),
        )
        differing += ids != render(pair)
    value = f"{len(pairs) - differing} of {len(pairs)} as in the training"
    marked = [any(map(has_marks, pair["messages"][:-1])) for pair in iterate_json_lines(val)]
    if any(marked):
        value += f"; {sum(marked)} of {len(marked)} have combining marks, before which llama.cpp ends a word"
    return gate("gguf_prompts", not differing, value, "all as in the training")


def has_marks(turn: Any) -> bool:
    """Say whether a turn has combining marks, as Thai and Hindi do: llama.cpp splits words there, gpt-oss does not."""
    return any(unicodedata.category(letter).startswith("M") for letter in turn["content"])


def is_text(pair: Any) -> bool:
    """Say whether a pair's prompt is of system, user and assistant alone, with final texts."""
    turns = pair["messages"][:-1]
    roles = {turn["role"] for turn in turns}
    return (
        not pair.get("tools")
        and roles <= {"system", "user", "assistant"}
        and not any(turn["content"].startswith(CHANNEL) for turn in turns)
    )


def read_text(reader: GGUFReader, key: str) -> str:
    """Return a text of a GGUF, empty if there is none."""
    field = reader.get_field(key)
    return str(field.contents()) if field else ""
