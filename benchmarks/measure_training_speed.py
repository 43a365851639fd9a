"""Measure the speed of DPO at gpt-oss-20b's true shape on one GPU: the tutorial's flags, a peer, and the levers.

    python benchmarks/measure_training_speed.py results/tiny/model --pairs data/preferences.jsonl

It takes a GPU with 80 GB or more, what envs/training.lock names, and the tokenizer of any gpt-oss; weights are random,
so nothing is downloaded, and what is measured is speed, memory and losses, not quality. Every row trains from the same
weights on the same pairs in the same order. Tokens are those of both sequences of a pair without padding, whether a row
computes a prompt once or twice. Rows go into benchmarks/results/training_speed.json, docs/performance.md reads them.
"""

import argparse
import json
import os
import random
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from check_fast import LEVERS  # noqa: E402 (it lies in the folder that was just named)
from swift_flags import swift_flags  # noqa: E402

# Three passes of 3.6 billion active parameters at the rate of a large bfloat16 product on an H100 (798 TFLOP/s).
LIMIT = 36_900
SHAPE = {"hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 24, "num_local_experts": 32}
PACKAGES = ("torch", "transformers", "ms-swift", "trl", "peft", "deepspeed", "liger-kernel")
FAST = {"attn_impl": "flex_attention", "experts_impl": "grouped_mm", "use_liger_kernel": False}
ONE_PROCESS = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511"}


class Row(NamedTuple):
    """A training: settings beside the tutorial's, levers of plugins/fast, and tokens of a sequence."""

    settings: dict[str, Any]
    levers: tuple[str, ...] = ()
    length: int = 400
    environment: Mapping[str, str] = MappingProxyType({})
    plugins: tuple[str, ...] = ()
    trainer: str = "ms-swift"


ONE_BATCH = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "gradient_checkpointing": False}
ROWS = {
    "float32": Row(
        {"deepspeed": None, "use_liger_kernel": False, "bf16": False, "experts_impl": "grouped_mm"},
        plugins=("float32_layers",),
    ),
    "the tutorial's flags": Row({}, environment=ONE_PROCESS),
    "without DeepSpeed": Row({"deepspeed": None}),
    "TRL": Row({}, trainer="TRL"),
    "recipe, reference in the step": Row(FAST | ONE_BATCH | {"deepspeed": None}, LEVERS),
    "recipe, reference kept": Row(FAST | ONE_BATCH | {"deepspeed": None}, LEVERS),
    "recipe, 2 x 8192": Row(
        FAST | ONE_BATCH | {"deepspeed": None, "per_device_train_batch_size": 2, "gradient_checkpointing": True},
        LEVERS,
        8192,
    ),
}


def build_folder(tokenizer: Path, folder: Path) -> None:
    """Write a model's folder without weights: the true shape, and a tokenizer."""
    from transformers import AutoTokenizer, GptOssConfig

    words = AutoTokenizer.from_pretrained(tokenizer)
    words.save_pretrained(folder)
    ids = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = GptOssConfig(vocab_size=201_088, num_experts_per_tok=4, dtype="bfloat16", **SHAPE, **ids)
    config.architectures = ["GptOssForCausalLM"]
    config.save_pretrained(folder)


def write_pairs(source: Path, folder: Path, count: int, length: int) -> Path:
    """Write pairs whose sequences have about `length` tokens each, half of them the prompt's with ms-swift's own."""
    from transformers import AutoTokenizer

    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    draw = random.Random(17)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def text(kind: str, tokens: int) -> str:
        ids: list[int] = []
        while len(ids) < tokens:
            row = draw.choice(rows)
            prompt, chosen = (message["content"] for message in row["messages"][-2:])
            said = {"prompt": prompt, "chosen": chosen, "rejected": row["rejected_response"]}[kind]
            ids += tokenizer(f"{said} ", add_special_tokens=False)["input_ids"]
        return str(tokenizer.decode(ids[:tokens]))

    path = folder / f"pairs-{length}.jsonl"
    with path.open("w", encoding="utf-8") as lines:
        for _ in range(count):
            prompt = {"role": "user", "content": text("prompt", length // 2 - 120)}
            messages = [prompt, {"role": "assistant", "content": text("chosen", length // 2)}]
            pair = {"messages": messages, "rejected_response": text("rejected", length // 2)}
            lines.write(json.dumps(pair, ensure_ascii=False) + "\n")
    return path


def settings_of(row: Row) -> dict[str, Any]:
    """Return the settings of `dpo`: the tutorial's, but for the steps, what a row changes, and one loss for all."""
    settings: dict[str, Any] = {}
    for name in ("config.yaml", "experiments/tutorial.yaml"):
        settings |= yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["dpo"]
    same: dict[str, Any] = {"rpo_alpha": None, "lora_dropout": 0, "loss_scale": "last_round", "max_length": 16384}
    same |= {"logging_steps": 1, "save_strategy": "no"}
    same |= {"learning_rate": 2e-5, "lr_scheduler_type": "constant", "warmup_ratio": 0.0, "dataset_shuffle": False}
    same |= {"train_dataloader_shuffle": False, "dataloader_num_workers": 0}
    return settings | same | row.settings


def command_of(row: Row, model: Path, pairs: Path, out: Path) -> list[str]:
    """Return the command of a row."""
    settings = settings_of(row)
    if row.trainer == "TRL":
        script = ROOT / "benchmarks" / "speed" / "train_with_trl.py"
        return [sys.executable, str(script), str(model), str(pairs), str(settings["learning_rate"])]
    plugins = [f"plugins/{name}.py" for name in ("no_remote_code", "frozen_date", "fp32_logps")]
    plugins += [f"plugins/fast/{name}.py" for name in row.levers]
    plugins += [f"benchmarks/speed/{name}.py" for name in ("random_weights", *row.plugins, "note_steps")]
    return [
        *(sys.executable, "-m", "swift.cli.rlhf", "--model", str(model), "--dataset", str(pairs)),
        *shlex.split(swift_flags(settings)),
        *("--output_dir", str(out), "--add_version", "false", "--check_model", "false", "--report_to", "none"),
        *("--external_plugins", *plugins),
    ]


def run_row(name: str, row: Row, model: Path, pairs: Path, folder: Path) -> dict[str, Any]:
    """Train a row in a process of its own; return what was measured, or why nothing was."""
    steps, gradient = folder / "steps.json", folder / "steps.json.gradient"
    for old in (steps, gradient):
        old.unlink(missing_ok=True)
    extra = {"PROMPT_DATE": "2026-01-01", "STEPS_FILE": str(steps), "HF_HUB_OFFLINE": "1", **row.environment}
    extra |= {"REFERENCE_FOLDER": str(folder / f"reference-{row.length}"), "GATES_FILE": str(folder / "gates.json")}
    extra["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "scripts"), os.environ.get("PYTHONPATH")]))
    command = command_of(row, model, pairs, folder / "out")
    log = folder / f"{re.sub(r'[^A-Za-z0-9]+', '_', name)}.log"
    with log.open("w") as said:
        code = subprocess.run(command, env=os.environ | extra, cwd=ROOT, stdout=said, stderr=said).returncode
    told: dict[str, Any] = {"name": name, "command": name_no_place(shlex.join(command), folder)}
    if not steps.exists():
        tail = log.read_text(errors="replace").strip().splitlines()[-1:]
        return told | {"failed": f"status {code}: {' '.join(tail)[:200]}"}
    told |= read_steps(json.loads(steps.read_text(encoding="utf-8")))
    if name == "float32":
        gradient.rename(folder / "float32.gradient")
    return told | {"gradient_cosine": compare_gradients(gradient, folder / "float32.gradient")}


def name_no_place(command: str, folder: Path) -> str:
    """Return a command without where on this machine things lie."""
    for place, name in ((sys.executable, "python"), (str(folder), "FOLDER"), (f"{ROOT}{os.sep}", "")):
        command = command.replace(place, name)
    return command


def read_steps(noted: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a row: of the steps from the third on, the median; of the losses, the first five."""
    steady = noted["steps"][2:]
    seconds = statistics.median(step["seconds"] for step in steady)
    speed = statistics.median(step["tokens"] / step["seconds"] for step in steady)
    return {
        "useful_tokens_per_s": round(speed),
        "seconds_per_step": round(seconds, 4),
        "first_step_seconds": round(noted["steps"][0]["seconds"], 1),
        "peak_gib": round(noted["peak_gib"], 2),
        "share_of_limit": round(speed / LIMIT, 4),
        "losses": [step["loss"] for step in noted["steps"]],
        "first_margin": noted["steps"][0]["rewards/margins"],
        "first_gradient": noted["steps"][0]["grad_norm"],
    }


def compare_gradients(gradient: Path, reference: Path) -> float | None:
    """Return the cosine of a row's first gradient with that in float32; None without either, or of other weights."""
    from safetensors.torch import load_file

    if not (gradient.exists() and reference.exists()):
        return None
    ours, theirs = load_file(gradient), load_file(reference)
    if set(ours) != set(theirs):
        return None
    one, other = (torch.cat([grads[name].flatten().double() for name in sorted(ours)]) for grads in (ours, theirs))
    return round(float(one @ other / (one.norm() * other.norm())), 6)


def measure(args: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows asked for, one after another."""
    model = folder / "model"
    build_folder(args.tokenizer, model)
    machine = torch.cuda.get_device_name()
    versions = {name: version(name) for name in PACKAGES}
    for name in args.rows or ROWS:
        row = ROWS[name]
        pairs = write_pairs(args.pairs, model, args.steps * (8 if row.length < 1000 else 2), row.length)
        measured = run_row(name, row, model, pairs, folder)
        print(json.dumps({k: v for k, v in measured.items() if k != "command"}), flush=True)
        yield measured | {"machine": machine, "versions": versions}


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", type=Path, help="folder with the tokenizer of a gpt-oss")
    parser.add_argument("--pairs", type=Path, required=True, help="pairs whose texts are drawn from")
    parser.add_argument("--rows", nargs="+", choices=ROWS, metavar="ROW", help="only these: %(choices)s")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training_speed.json")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = list(measure(args, Path(folder)))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
