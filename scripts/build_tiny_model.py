"""Build a gpt-oss of the real architecture, small enough for a laptop, and teach it a little.

    envs/with-training python -m scripts.build_tiny_model data/interface/base.jsonl \
        --settings "$(python -m tools.show_settings build_tiny_model)" --folder results/tiny/model

The SHA-256 of its files is written beside the folder, to results/tiny/model.sha256.

The architecture is that of openai/gpt-oss-20b in transformers: router and experts, attention sinks,
sliding-window layers between full ones, yarn positions, harmony special tokens, and a byte-level BPE
(trained on the conversations). It is then taught the conversations: first their last questions and answers alone,
which are short, then whole, behind harmony's preamble. It sees no held-out pair. It is written as gpt-oss is published:
experts packed (MXFP4), in two files that are counted from 0.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import GptOssForCausalLM, PreTrainedTokenizerFast

from pipeline.files.disk_space import require_space
from pipeline.files.folder_manifest import manifest_beside, write_manifest
from pipeline.files.json_lines import read_json_lines
from pipeline.launch.run_swift import CPU_THREADS
from pipeline.models.published_layout import save_published
from pipeline.models.render_chat import load_renderer
from pipeline.models.shape import find_shape
from pipeline.models.taught_rows import read_taught
from pipeline.models.tiny import build_tokenizer, describe_generation, describe_model, save_tokenizer, texts_of
from pipeline.settings.stage import stage_parser

TOKENIZER_BYTES = 4 << 20  # and more than that
Row = tuple[list[int], list[int]]  # token ids and labels


def build_model(tokenizer: PreTrainedTokenizerFast, shape: dict[str, Any]) -> GptOssForCausalLM:
    """Return an untrained gpt-oss of the given shape, in float32."""
    model = GptOssForCausalLM(describe_model(tokenizer, shape, len(tokenizer)))
    model.set_experts_implementation("grouped_mm")  # twice as fast as the loop over experts
    model.generation_config = describe_generation(tokenizer)
    return model


def to_batch(rows: list[Row], pad: int) -> dict[str, torch.Tensor]:
    """Return input_ids, attention_mask and labels of shape (rows, longest), padded on the right."""
    longest = max(len(ids) for ids, _ in rows)

    def padded(lists: list[list[int]], value: int) -> torch.Tensor:
        return torch.tensor([ids + [value] * (longest - len(ids)) for ids in lists])

    return {
        "input_ids": padded([ids for ids, _ in rows], pad),
        "attention_mask": padded([[1] * len(ids) for ids, _ in rows], 0),
        "labels": padded([labels for _, labels in rows], -100),
    }


def last_turn(row: Row, question: list[int]) -> Row:
    """Return the tokens of the last question and its answer; a question begins with the tokens `question`."""
    ids, labels = row
    at = max(place for place in range(len(ids)) if ids[place : place + len(question)] == question)
    return ids[at:], labels[at:]


def draw_batches(rows: list[Row], size: int, steps: int, seed: int) -> Iterator[list[Row]]:
    """Yield `steps` batches of `size` rows in random order; every row is used once before any is used again."""
    order = random.Random(seed)
    left: list[Row] = []
    for _ in range(steps):
        if len(left) < size:
            left += order.sample(rows, len(rows))
        batch, left = left[:size], left[size:]
        yield batch


def teach(model: GptOssForCausalLM, rows: list[Row], question: list[int], shape: dict[str, Any]) -> None:
    """Train the model, in place, on the labelled tokens of last turns, and then of whole conversations."""
    turns = [last_turn(row, question) for row in rows]
    batches = [
        *draw_batches(turns, shape["turn_batch_size"], shape["turn_steps"], shape["seed"]),
        *draw_batches(rows, shape["batch_size"], shape["training_steps"], shape["seed"]),
    ]
    steps, peak = len(batches), shape["learning_rate"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=0.1)
    for step, batch in enumerate(batches, start=1):
        loss = model(**to_batch(batch, model.config.pad_token_id)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 20 == 0 or step in (1, steps):
            print(f"step {step}/{steps}  loss {loss.item():.3f}", flush=True)


def build_taught_model(conversations: Path, settings: dict[str, Any], folder: Path) -> GptOssForCausalLM:
    """Return a model that was taught, in float32; its tokenizer and its config.json are then in the folder."""
    shape = settings["model"]["tiny"]
    torch.set_num_threads(CPU_THREADS)
    torch.use_deterministic_algorithms(True)  # or the order of additions, and so the rounding, would vary
    torch.manual_seed(shape["seed"])
    taught = read_taught(conversations) if shape["conversations"] else read_json_lines(conversations)
    tokenizer = build_tokenizer(texts_of(taught), shape["vocab_size"])
    model = build_model(tokenizer, shape)
    save_tokenizer(tokenizer, folder)
    model.config.save_pretrained(folder)
    render = load_renderer(folder, settings["prompt"])
    print(f"{model.num_parameters():,} parameters, {len(tokenizer)} tokens, {len(taught)} conversations", flush=True)
    question = tokenizer.encode("<|start|>user<|message|>", add_special_tokens=False)
    teach(model, [render(row) for row in taught], question, shape)
    return model


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("conversations", type=Path, help="what the model is taught")
    parser.add_argument("--folder", type=Path, required=True, help="folder for the model")
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    size = 2 * find_shape(args.settings["model"] | {"folder": None, "random": False}).parameters + TOKENIZER_BYTES
    require_space(size, args.folder, f"the model takes {size / 2**20:,.0f} MiB")
    save_published(build_taught_model(args.conversations, args.settings, args.folder), args.folder)
    write_manifest(args.folder, manifest_beside(args.folder))


if __name__ == "__main__":
    main()
