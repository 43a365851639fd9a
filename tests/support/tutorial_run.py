"""The tutorial's training at its own size, 20 steps of 32 pairs, on a very small model: what several tests need."""

import json
import subprocess
from itertools import product
from pathlib import Path
from typing import IO, Any

import yaml

from tests.support.project import ROOT

DATE = "2025-08-06"  # in experiments/tutorial.yaml, and in the prompt of ms-swift 3.7.0
PROMPT = {"date": DATE, "reasoning_effort": "medium"}
SHAPE = {
    "layers": 2,
    "hidden_size": 32,
    "intermediate_size": 32,
    "experts": 4,
    "experts_per_token": 2,
    "attention_heads": 4,
    "key_value_heads": 2,
    "head_size": 8,
    "sliding_window": 16,
    "vocab_size": 600,
    "initial_scale": 0.02,
    "conversations": None,
    "turn_steps": 0,
    "turn_batch_size": 1,
    "batch_size": 16,
    "learning_rate": 0.004,
    "seed": 1,
}
VERBS = {
    **{"打开": "Open", "关闭": "Close", "保存": "Save", "删除": "Delete"},
    **{"复制": "Copy", "移动": "Move", "导出": "Export", "导入": "Import"},
}
KINDS = {
    **{"红色": "red", "蓝色": "blue", "绿色": "green", "白色": "white"},
    **{"黑色": "black", "旧": "old", "新": "new", "空": "empty"},
}
THINGS = {
    **{"文件": "file", "窗口": "window", "目录": "folder", "图片": "image", "表格": "table"},
    **{"邮件": "message", "列表": "list", "链接": "link", "账户": "account", "项目": "project"},
}
# What a training publishes, the same whatever happened on the way.
RESULTS = ("adapter", "adapter.sha256", "curves.jsonl", "gates.json", "lora_coverage.csv", "settings.json")
# What a CPU cannot do of experiments/tutorial.yaml. Liger's kernels need a GPU.
ON_THE_CPU = {"use_liger_kernel": False}
FLOAT32 = {"torch_dtype": "float32", "bf16": False, "fp16": False}


def tutorial_pairs() -> list[dict[str, Any]]:
    """Return 640 pairs, all different: with a system message and without, and with an earlier turn."""
    return [make_pair(number, *words) for number, words in enumerate(product(VERBS, KINDS, THINGS))]


def make_pair(number: int, verb: str, kind: str, thing: str) -> dict[str, Any]:
    """Return one pair; every fourth has no system message, every fourth an answer before the last."""
    system = {"role": "system", "content": "Translate the user interface text into English."}
    earlier = [{"role": "user", "content": thing}, {"role": "assistant", "content": THINGS[thing].capitalize()}]
    turns = [*([] if number % 4 == 1 else [system]), *(earlier if number % 4 == 2 else [])]
    chosen = f"{VERBS[verb]} the {KINDS[kind]} {THINGS[thing]}"
    asked = [{"role": "user", "content": verb + kind + thing}, {"role": "assistant", "content": chosen}]
    rejected = f"Please {VERBS[verb].lower()} {KINDS[kind]} {THINGS[thing]} now!"
    return {"id": f"pair-{number}", "messages": [*turns, *asked], "rejected_response": rejected}


def write_pairs(file: Path, pairs: list[dict[str, Any]]) -> Path:
    """Write pairs as JSON Lines; return the file."""
    file.write_text("".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs), encoding="utf-8")
    return file


def build_model(folder: Path, training_steps: int) -> Path:
    """Build the model, trained a little on the pairs, in bfloat16; return its folder, with a manifest beside it."""
    shape = SHAPE | {"training_steps": training_steps}
    train, model, packed = write_pairs(folder / "all.jsonl", tutorial_pairs()), folder / "model", folder / "packed"
    settings = {"model": {"tiny": shape}, "prompt": PROMPT}
    for script, words in (
        ("build_tiny_model", [train, "--settings", json.dumps(settings), "--folder", packed]),
        ("dequantise_model", [packed, "--manifest", f"{packed}.sha256", "--folder", model]),
    ):
        command = ["envs/with-training", "python", "-m", f"scripts.{script}", *map(str, words)]
        run_quietly(command, folder / f"{script}.log")
    return model


def load_settings() -> dict[str, Any]:
    """Return the settings of experiments/tutorial.yaml over config.yaml's."""
    files = (ROOT / "config.yaml", ROOT / "experiments" / "tutorial.yaml")
    config, overlay = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in files)
    both = {key: value | overlay.get(key, {}) for key, value in config.items() if isinstance(value, dict)}
    return config | both


def train_tutorial(model: Path, pairs: Path, folder: Path, processes: int, changed: dict[str, Any]) -> list[dict]:
    """Train with experiments/tutorial.yaml through scripts/train_dpo.py; return the curves, a row a step."""
    folder.mkdir(parents=True)
    run_quietly(training_command(model, pairs, folder, processes, changed), folder / "log.txt")
    return read_rows(folder / "dpo" / "curves.jsonl")


def training_command(
    model: Path, pairs: Path, folder: Path, processes: int, changed: dict[str, Any], tracking: str = "disabled"
) -> list[str]:
    """Return the command that trains so: results go to <folder>/dpo, and everything else beside it."""
    settings = load_settings()
    assert settings["prompt"]["date"] == DATE
    dpo = settings["dpo"] | ON_THE_CPU | {"logging_steps": 1} | changed
    train = settings["train"] | {"gpus": 0, "cpu_processes": processes}
    tracked = settings["tracking"] | {"mode": tracking, "project": "none"}
    part = {"dpo": dpo, "train": train, "tracking": tracked} | {name: settings[name] for name in ("gates", "prompt")}
    options = ["--settings", json.dumps(part), "--model", str(model), "--manifest", f"{model}.sha256"]
    options += ["--pairs", str(pairs), str(pairs), "--checkpoints", str(folder / "checkpoints")]
    return ["envs/with-training", "python", "-m", "scripts.train_dpo", *options, "--out", str(folder / "dpo")]


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a log that are steps of the training."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if "loss" in row]


def start(command: list[str], output: IO[Any], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a command from the project's root; what it says goes into a file."""
    return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, **options)


def run_quietly(command: list[str], log: Path, **options: Any) -> None:
    """Run a command from the project's root; where it fails, show the end of what it said."""
    with log.open("wb") as file, start(command, file, **options) as process:
        process.wait()
    assert process.returncode == 0, log.read_text(encoding="utf-8")[-3000:]


def read_results(folder: Path, *names: str) -> dict[str, bytes]:
    """Return the bytes of everything that a training publishes into its folder, or of what is named."""
    found = [path for name in names or RESULTS for path in [folder / name, *(folder / name).rglob("*")]]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}
