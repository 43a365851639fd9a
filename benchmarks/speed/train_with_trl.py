"""Train with TRL's own DPOTrainer on the same random weights and pairs: a peer of measure_training_speed.py."""

import json
import os
import sys
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

from benchmarks.speed.random_weights import draw_weights
from benchmarks.speed.step_clock import StepClock
from pipeline.models.render_chat import load_renderer


def render_pairs(folder: Path, pairs: Path) -> Dataset:
    """Return prompts, chosen and rejected answers as text, rendered as ms-swift renders them."""
    prompt_of_all = {"date": os.environ["PROMPT_DATE"], "reasoning_effort": os.environ["REASONING_EFFORT"]}
    render = load_renderer(folder, prompt_of_all)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for pair in map(json.loads, pairs.read_text(encoding="utf-8").splitlines()):
        *prompt, _ = pair["messages"]
        sides: dict[str, str] = {}
        for side, messages in (
            ("chosen", pair["messages"]),
            ("rejected", [*prompt, {"role": "assistant", "content": pair["rejected_response"]}]),
        ):
            ids, labels = render({"messages": messages})
            start = next(place for place, label in enumerate(labels) if label >= 0)
            sides |= {"prompt": tokenizer.decode(ids[:start]), side: tokenizer.decode(ids[start:-1])}
        rows.append(sides)
    return Dataset.from_list(rows)


def main(folder: Path, pairs: Path, learning_rate: float) -> None:
    """Train an epoch with the tutorial's batches: 2 pairs, 4 times a step."""
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.bfloat16)
    draw_weights(model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    settings = DPOConfig(
        output_dir=str(pairs.with_name("trl")), num_train_epochs=1,
        per_device_train_batch_size=2, gradient_accumulation_steps=4, learning_rate=learning_rate,
        lr_scheduler_type="constant", beta=0.1, max_length=16384, bf16=True,
        gradient_checkpointing=True, logging_steps=1, save_strategy="no", report_to=[], seed=42,
    )  # fmt: skip
    lora = LoraConfig(r=8, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = DPOTrainer(
        model, args=settings, train_dataset=render_pairs(folder, pairs), processing_class=tokenizer, peft_config=lora
    )
    StepClock().watch(trainer)
    trainer.train()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
