"""Write an evaluated run's files for a report, with made-up figures that are the same every time.

    python -m tests.support.evaluated_run results/made-up --rows 100000 --sft

Answers are translations into English, and some into Chinese. Every tenth has no score, and one holds HTML.
"""

import argparse
import json
import math
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.settings.check import load_config, merge
from pipeline.settings.reads import part_for

Row = dict[str, Any]

SEED = 17
STEPS = 90
TAGS = ("addition", "omission", "terminology", "tone", "number", "误译")
ENGLISH = "the a service update key file was sent to please check settings before you can log in again %s".split()  # noqa: SIM905
CHINESE = "请在登录前检查设置密钥已更新服务文件发送错误重新启动"
UNSAFE = '<script>document.title="broken"</script><img src=x onerror=alert(1)> </script> & "quoted" \u2028 \ud83d'
VERSIONS = {"ms-swift": "4.6.0", "torch": "2.13.0"}


def make_answers(count: int, models: list[str]) -> Iterator[Row]:
    """Yield rows of answers.jsonl."""
    author = random.Random(SEED)
    for number in range(count):
        texts = {model: make_text(author, number) for model in models}
        texts["chosen"] = make_text(author, number)
        lost = number % 20 == 7
        texts[models[-1]] = change_text(author, texts[models[0]])
        if number == 1:
            texts[models[-1]] = UNSAFE
        if lost:
            texts[models[-1]] = ""
        scores = {
            model: {"chrf": round(author.uniform(5, 90), 2), "ter": round(author.uniform(10, 120), 2)}
            for model in models
        }
        change = round(scores[models[-1]]["chrf"] - scores[models[0]]["chrf"], 2)
        yield {
            "id": f"ui-{number:06}",
            "tag": TAGS[number % len(TAGS)],
            "messages": [
                {"role": "system", "content": "You are a technical translator."},
                {"role": "user", "content": make_text(author, 3)},
            ],
            "chosen": texts.pop("chosen"),
            "rejected": make_text(author, number),
            "answers": texts,
            "finish": dict.fromkeys(models, "stop") | ({models[-1]: "length"} if lost else {}),
            "analysis": {models[0]: f"The request is number {number}. {UNSAFE}"} if number % 5 == 2 else {},
            "scores": scores,
            "change": None if number % 10 == 9 else change,
        }


def make_text(author: random.Random, number: int) -> str:
    """Return some words; of every fourth row, in Chinese."""
    if number % 4 == 3:
        return "".join(author.choices(CHINESE, k=author.randint(8, 60))) + "。"
    return " ".join(author.choices(ENGLISH, k=author.randint(5, 80))).capitalize() + "."


def change_text(author: random.Random, text: str) -> str:
    """Return a text with some of its words changed; now and then another text, or none."""
    kind = author.random()
    if kind < 0.1:
        return "" if kind < 0.02 else make_text(author, 0)
    words = text.split(" ") if " " in text else list(text)
    changed = [author.choice(words) if author.random() < 0.15 else word for word in words]
    return (" " if " " in text else "").join(changed)


def figure(value: float, n: int, spread: float, name: str = "") -> Row:
    """Return a figure with its interval."""
    command = f"python -m scripts.evaluate_answers --only {name}" if name else ""
    return {"value": value, "n": n, "low": value - spread, "high": value + spread, "command": command}


def make_metrics(count: int, models: list[str]) -> Row:
    """Return metrics.json. The last model is better, except for its empty answers."""
    answers = {
        model: {
            "bleu": figure(18.2 + 3.1 * place, count, 1.4, "bleu"),
            "chrf": figure(41.7 + 2.6 * place, count, 1.1, "chrf"),
            "ter": figure(71.9 - 1.2 * place, count, 2.2, "ter"),
            "length_ratio": figure(0.94 + 0.02 * place, count, 0.03, "length_ratio"),
            "empty": figure(0.01 + 0.011 * place, count, 0.004, "empty"),
            "cut_answers": figure(0.05 * place, count, 0.02, "cut_answers"),
            "no_final": figure(0.0, count, 0.0, "no_final"),
            "analysis_tokens": figure(9.1 - 4 * place, count, 1.5, "analysis_tokens"),
            "numbers_kept": figure(0.83 + 0.04 * place, count // 2, 0.05, "numbers_kept"),
            "urls_kept": {"value": None, "n": 0, "low": None, "high": None, "command": ""},
        }
        for place, model in enumerate(models)
    }
    pairs: Row = {
        model: {
            "chosen_logp": figure(-144.2 - 3 * place, count, 9.0, "chosen_logp"),
            "rejected_logp": figure(-185.0 - 6 * place, count, 12.0, "rejected_logp"),
            "preference_accuracy": figure(0.55 + 0.1 * place, count, 0.06, "preference_accuracy"),
        }
        for place, model in enumerate(models)
    }
    neutral = {model: {"neutral_loss": figure(2.41 + 0.02 * place, 62, 0.2)} for place, model in enumerate(models)}
    external = {model: {"arc_easy: acc": figure(0.71 - 0.01 * place, 2376, 0.02)} for place, model in enumerate(models)}
    parts = {tag: part_figures(0.6 + 0.05 * place, 8 + place) for place, tag in enumerate(TAGS)}
    pairs[models[-1]] |= part_figures(0.81, count) | {
        "by_tag": parts,
        "by_length": {"1-16": part_figures(0.7, 20), "17-64": part_figures(0.85, 30)},
    }
    both = {model: answers[model] | pairs[model] for model in models}
    return {
        "models": models,
        "answers": answers,
        "pairs": pairs,
        "neutral": neutral,
        "external": external,
        "comparisons": {f"{models[-1]}-{other}": compare(both, models[-1], other) for other in models[:-1]},
        "signatures": {"bleu": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"},
    }


def part_figures(accuracy: float, count: int) -> Row:
    """Return the figures of some of the pairs."""
    spread = 1 / math.sqrt(max(count, 1))
    return {
        "reward_accuracy": figure(accuracy, count, spread / 2, "reward_accuracy"),
        "reward_margin": figure(accuracy / 2, count, spread / 3, "reward_margin"),
    }


def compare(figures: Row, last: str, other: str) -> Row:
    """Return the differences of two models' figures."""
    spreads = {"bleu": 1.9, "chrf": 1.2, "ter": 2.9, "empty": 0.006, "analysis_tokens": 1.6}
    spreads["preference_accuracy"] = 0.06
    return {
        name: figure(
            figures[last][name]["value"] - figures[other][name]["value"], figures[last][name]["n"], spread, name
        )
        | {"p": 0.0004 if name == "bleu" else 0.03}
        for name, spread in spreads.items()
    }


def make_curves(steps: int) -> Iterator[Row]:
    """Yield rows of curves.jsonl."""
    author = random.Random(SEED)
    for step in range(0, steps + 1, 5):
        done = step / steps
        training: Row = {"step": max(step, 1), "loss": 0.693 - 0.18 * done + author.gauss(0, 0.01), "epoch": 3 * done}
        training |= {"learning_rate": 0.001 * (1 - done), "grad_norm": 0.46 + author.gauss(0, 0.05)}
        if step % 30 == 0:
            yield {"step": step} | {f"eval_{name}": value for name, value in rewards(done, author).items()}
        yield training | {name: value for name, value in rewards(done, author).items() if name != "loss"}


def rewards(done: float, author: random.Random) -> Row:
    """Return DPO's own figures of its pairs, as the training logs them."""
    return {
        "loss": 0.693 - 0.155 * done,
        "rewards/accuracies": 0.5 + 0.3 * done + author.gauss(0, 0.02),
        "rewards/margins": 0.45 * done,
        "logps/chosen": -144 - 6 * done,
        "logps/rejected": -185 - 10 * done,
    }


def make_machine() -> Row:
    """Return train_dpo.machine.json."""
    return {
        "commit": "7d91d0f0c1a2b3c4d5e6f708192a3b4c5d6e7f80",
        "uncommitted_changes": True,
        "changed_files": ["config.yaml"],
        "untracked_files": ["experiments/mine.yaml", *(f"metrics/figure_{number}.py" for number in range(6))],
        "command": "snakemake --cores all --configfile experiments/mine.yaml",
        "started": "2026-01-01T10:00:00Z",
        "ended": "2026-01-01T12:34:56Z",
        "seconds": 9296.0,
        "system": "Linux 6.1 x86_64",
        "python": "3.11.2",
        "processor": "AMD EPYC 9654",
        "cores": 96,
        "memory_gib": 755.4,
        "gpus": ["NVIDIA H20 96 GB"] * 4,
    }


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write JSON Lines. Half a character, as some tokenizers leave it, can only be written as an escape."""
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def write_run(folder: Path, count: int, sft: bool = False, machine: bool = True) -> None:
    """Write all that a report reads below a folder. Without `machine`, no logs."""
    models = ["base", *(["sft"] if sft else []), "dpo"]
    for name in ("data", "dpo", "sft", "evaluate", "logs", "merge"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_rows(folder / "evaluate" / "answers.jsonl", make_answers(count, models))
    write_json(folder / "evaluate" / "metrics.json", make_metrics(count, models))
    write_data(folder, count)
    for stage in ("dpo", "sft"):
        write_rows(folder / stage / "curves.jsonl", make_curves(STEPS))
    in_force = {"command": ["swift", "rlhf", "--beta", "0.1"], "versions": VERSIONS}
    write_json(folder / "dpo" / "settings.json", in_force)
    table = "module,layers,parameters,experts\nself_attn.q_proj,2,4096,no\n"
    (folder / "dpo" / "lora_coverage.csv").write_text(table, encoding="utf-8")
    first_loss = {"gate": "first_loss", "passed": True, "value": 0.693147, "expected": "0.693147 within 0.0001"}
    write_json(folder / "dpo" / "gates.json", [first_loss])
    merged = {"gate": "merged_logits", "passed": False, "value": "0.4 apart", "expected": "at most 0.03125"}
    write_json(folder / "merge" / "gates.json", [merged])
    if machine:
        write_json(folder / "logs" / "train_dpo.machine.json", make_machine())
        speed = [
            {"step": step, "seconds_per_step": 2.0 + step % 3 / 10, "memory_gib": 61.5} for step in range(5, 91, 5)
        ]
        write_rows(folder / "logs" / "train_dpo.speed.jsonl", speed)


def write_data(folder: Path, count: int) -> None:
    """Write the accounts of the rows, and stand-ins for the pairs and for the manifests of model and adapter."""
    codes = {"length-bias": 216, "lost-number": 5}
    examples = {"lost-number": ["data/preferences.jsonl:27"]}
    quality = {"rows_in": 2 * count, "rows_used": 2 * count - 3, "rows_rejected": 3, "pairs": 2 * count - 3}
    write_json(folder / "data" / "quality.json", quality | {"codes": codes, "examples": examples})
    sides = {"train": {"rows_used": count - 3}, "val": {"rows_used": count}}
    write_json(folder / "dpo" / "tokens.json", {"max_length": 512, "longest": 318} | sides)
    for name in ("data/pairs.jsonl", "model.sha256", "dpo/adapter.sha256"):
        (folder / name).write_text("{}\n", encoding="utf-8")


def report_arguments(folder: Path, **sections: Row) -> list[str]:
    """Return the arguments of write_report.py for such a run, under config.yaml with other values in some sections."""
    settings = part_for("write_report", merge(load_config([]), sections))
    return ["--settings", json.dumps(settings), "--run", str(folder), "--out", str(folder)]


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=52)
    parser.add_argument("--sft", action="store_true", help="with a model after SFT")
    args = parser.parse_args()
    write_run(args.folder, args.rows, args.sft)
    print(f"{args.folder}: {args.rows} rows")


if __name__ == "__main__":
    main()
