"""Measure the speed of DPO at gpt-oss-20b's true shape: the tutorial's flags, a peer, and the levers.

    python -m benchmarks.measure_training_speed results/tiny/model --pairs data/preferences.jsonl

It takes GPUs with 80 GB or more, what envs/training.lock names, and the tokenizer of any gpt-oss; weights are random,
so nothing is downloaded, and what is measured is speed, memory and losses, not quality. Every row trains from the same
weights on the same pairs in the same order. Rows run side by side, each on GPUs of its own; those that need
more GPUs than there are do not. Tokens are those of both sequences of a pair without padding, whether a row computes a
prompt once or twice. Rows go into benchmarks/results/training_speed.json, docs/performance.md reads them. --profile
adds what each kernel took, and slows a row down a little: give it another --out.
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
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.rows import PACKED, ROWS, Row, settings_of
from benchmarks.speed.share_gpus import share_gpus
from pipeline.launch.contract import Contract
from pipeline.launch.model_flags import model_flags
from pipeline.launch.plugins import SMALL
from pipeline.settings.flags import swift_flags
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
ALL = ROWS | PACKED

WIDTHS = {"hidden_size": 2880, "intermediate_size": 2880}
SHAPES = {
    "20b": {"num_hidden_layers": 24, "num_local_experts": 32},
    "120b": {"num_hidden_layers": 36, "num_local_experts": 128},
}
PACKAGES = ("torch", "transformers", "ms-swift", "trl", "peft", "deepspeed", "liger-kernel")
FIRST_PORT = 29500  # of torchrun; that of a row is as many above it as the number of its first GPU


def build_folder(tokenizer: Path, folder: Path, shape: str, packed: bool) -> None:
    """Write a model's folder without weights: a true shape, and a tokenizer."""
    from transformers import AutoTokenizer, GptOssConfig

    from pipeline.models.published_layout import say_packed

    words = AutoTokenizer.from_pretrained(tokenizer)
    words.save_pretrained(folder)
    ids = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = GptOssConfig(vocab_size=201_088, num_experts_per_tok=4, dtype="bfloat16", **WIDTHS, **SHAPES[shape], **ids)
    config.architectures = ["GptOssForCausalLM"]
    config.save_pretrained(folder)
    if packed:
        say_packed(folder)


def write_pairs(source: Path, folder: Path, words: Path, count: int, length: int) -> Path:
    """Write pairs whose sequences have about `length` tokens each, half of them the prompt's with ms-swift's own."""
    from transformers import AutoTokenizer

    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    draw = random.Random(17)
    tokenizer = AutoTokenizer.from_pretrained(words)

    def text(kind: str, tokens: int) -> str:
        ids: list[int] = []
        while len(ids) < tokens:
            row = draw.choice(rows)
            prompt, chosen = (message["content"] for message in row["messages"][-2:])
            said = {"prompt": prompt, "chosen": chosen, "rejected": row["rejected_response"]}[kind]
            ids += tokenizer(f"{said} ", add_special_tokens=False)["input_ids"]
        return str(tokenizer.decode(ids[:tokens]))

    path = folder / f"pairs-{length}-{count}.jsonl"
    with path.open("w", encoding="utf-8") as lines:
        for _ in range(count):
            prompt = {"role": "user", "content": text("prompt", length // 2 - 120)}
            messages = [prompt, {"role": "assistant", "content": text("chosen", length // 2)}]
            pair = {"messages": messages, "rejected_response": text("rejected", length // 2)}
            lines.write(json.dumps(pair, ensure_ascii=False) + "\n")
    return path


def command_of(row: Row, model: Path, pairs: Path, out: Path, gpus: list[int]) -> list[str]:
    """Return the command of a row."""
    settings = settings_of(row)
    if row.trainer == "TRL":
        script = ROOT / "benchmarks" / "speed" / "train_with_trl.py"
        return [sys.executable, str(script), str(model), str(pairs), str(settings["learning_rate"])]
    plugins = [f"plugins/{name}.py" for name in ("no_remote_code", "harmony", "fp32_logps")]
    plugins += [f"plugins/fast/{name}.py" for name in row.levers]
    plugins += [f"plugins/small/{SMALL[name]}.py" for name in row.small]
    plugins += [f"benchmarks/speed/{name}.py" for name in ("random_weights", *row.plugins, "note_steps")]
    port = str(FIRST_PORT + gpus[0])
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", str(row.gpus), "--master-port", port, "--module"]
    return [
        *(sys.executable, *(torchrun if settings["deepspeed"] or row.gpus > 1 else ["-m"]), "swift.cli.rlhf"),
        *(*model_flags(model), "--dataset", str(pairs), *shlex.split(swift_flags(settings))),
        *("--output_dir", str(out), "--add_version", "false", "--check_model", "false", "--report_to", "none"),
        *("--ddp_broadcast_buffers", "false"),  # as in pipeline/training/command.py
        *("--external_plugins", *plugins),
    ]


def folder_of(name: str, folder: Path) -> Path:
    """Return where a row writes."""
    return folder / re.sub(r"[^A-Za-z0-9]+", "_", name)


def run_row(name: str, row: Row, model: Path, pairs: Path, folder: Path, gpus: list[int]) -> dict[str, Any]:
    """Train a row in processes of its own; return the figures, or the reason why there are none."""
    own = folder_of(name, folder)
    own.mkdir()
    steps = own / "steps.json"
    extra = {"PROMPT_DATE": "2026-01-01", "REASONING_EFFORT": "medium", "STEPS_FILE": str(steps), "HF_HUB_OFFLINE": "1"}
    extra["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
    maker = row.after if row.after and ALL[row.after].gpus == row.gpus else name
    reference, some = str(folder_of(maker, folder) / "reference"), row.small.get("experts_at_once")
    extra |= Contract(own, 0, 0, reference_folder=reference, experts_at_once=some).write()
    extra |= {"CARD_GIB": str(row.card), "PYTORCH_ALLOC_CONF": "expandable_segments:True"} if row.card else {}
    extra["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = command_of(row, model, pairs, own / "out", gpus)
    kernels = own / "kernels.json"
    extra["KERNELS_FILE"] = str(kernels)
    log = own / "log"
    with log.open("w") as said:
        code = subprocess.run(command, env=os.environ | extra, cwd=ROOT, stdout=said, stderr=said).returncode
    told: dict[str, Any] = {"name": name, "gpus": row.gpus, "command": name_no_place(shlex.join(command), folder)}
    if code or not steps.exists():
        errors = [line for line in log.read_text(errors="replace").splitlines() if "Error" in line]
        return told | {"failed": f"status {code}: {' '.join(errors[-1:])[:300]}"}
    told |= {"kernels": json.loads(kernels.read_text(encoding="utf-8"))} if kernels.exists() else {}
    return told | read_steps(json.loads(steps.read_text(encoding="utf-8")), row)


def name_no_place(command: str, folder: Path) -> str:
    """Return a command without where on this machine things lie."""
    for place, name in ((sys.executable, "python"), (str(folder), "FOLDER"), (f"{ROOT}{os.sep}", "")):
        command = command.replace(place, name)
    return command


def read_steps(noted: dict[str, Any], row: Row) -> dict[str, Any]:
    """Return the figures of a row: of the steps from the third on, the median; of losses, all."""
    steady = noted["steps"][2:]
    seconds = statistics.median(step["seconds"] for step in steady)
    speed = statistics.median(step["tokens"] / step["seconds"] for step in steady)
    return {
        "useful_tokens_per_s": round(speed),
        "seconds_per_step": round(seconds, 4),
        "seconds_between_steps": round(statistics.median(step["between"] for step in steady), 4),
        "first_step_seconds": round(noted["steps"][0]["seconds"], 1),
        "pairs_per_step": row.pairs,
        "peak_gib": round(noted["peak_gib"], 2),
        "card_gib": round(noted["card_gib"], 2),
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


def describe_machine() -> dict[str, Any]:
    """Return which GPU and which releases measured."""
    return {"machine": torch.cuda.get_device_name(), "versions": {name: version(name) for name in PACKAGES}}


def measure(args: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows asked for, as they end."""
    watch = ("profile_steps",) if args.profile else ()
    rows = {name: ALL[name]._replace(plugins=(*ALL[name].plugins, *watch)) for name in args.rows or ROWS}
    models = {
        (row.shape, row.packed): folder / f"{row.shape}-{'packed' if row.packed else 'plain'}" for row in rows.values()
    }
    for (shape, packed), model in models.items():
        build_folder(args.tokenizer, model, shape, packed)
    pairs = {
        (row.length, row.pairs): write_pairs(args.pairs, folder, args.tokenizer, args.steps * row.pairs, row.length)
        for row in rows.values()
    }
    gpus = list(range(torch.cuda.device_count()))
    rows = {name: row for name, row in rows.items() if row.gpus <= len(gpus)}
    started = time.monotonic()
    for measured in share_gpus(
        rows,
        gpus,
        lambda name, row, own: run_row(
            name, row, models[row.shape, row.packed], pairs[row.length, row.pairs], folder, own
        ),
    ):
        shown = {name: value for name, value in measured.items() if name not in ("command", "kernels")}
        print(f"{time.monotonic() - started:.0f} s", json.dumps(shown), flush=True)
        yield measured | describe_machine()


def write_rows(path: Path, rows: list[dict[str, Any]], folder: Path) -> None:
    """Write the rows in their order, each with how near its first gradient is to that of the same pairs in float32."""
    order = list(ALL)
    reference = folder_of("float32", folder) / "gradient"
    told = []
    for row in rows:
        same = (ALL[row["name"]].pairs, ALL[row["name"]].length) == (ROWS["float32"].pairs, ROWS["float32"].length)
        gradient = folder_of(row["name"], folder) / "gradient"
        told.append(row | {"gradient_cosine": compare_gradients(gradient, reference) if same else None})
    path.parent.mkdir(parents=True, exist_ok=True)
    told.sort(key=lambda row: order.index(row["name"]))
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("tokenizer", type=Path, help="folder with the tokenizer of a gpt-oss")
    parser.add_argument("--pairs", type=Path, required=True, help="pairs whose texts are drawn from")
    parser.add_argument("--rows", nargs="+", choices=ALL, metavar="ROW", help="only these: %(choices)s")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--profile", action="store_true", help="of steps 4 to 6, also what the GPU's kernels took")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training_speed.json")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows: list[dict[str, Any]] = []
        for row in measure(args, Path(folder)):
            rows.append(row)
            write_rows(args.out, rows, Path(folder))


if __name__ == "__main__":
    main()
