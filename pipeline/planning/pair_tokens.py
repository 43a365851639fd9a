"""Get the tokens of a run's pairs for a plan: counted if the model is there, else estimated from the text.

The pairs are made by the run's own stages, up to check_tokens or, without a model, up to split_preferences. They run
here, never in a queue, and need no GPU.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.files.json_lines import iterate_json_lines
from pipeline.models.model_folder import find_model_problem
from pipeline.planning.tokens import GPT_OSS, TINY, PairTokens, Rate, cut_pair, estimate_pair
from pipeline.planning.trainings import Pairs
from pipeline.preferences.conversations import read_conversations
from pipeline.settings.levers import NO_LEVER

Settings = dict[str, Any]

# Settings that only a training needs, and for which check_machine would stop a plan on this machine.
NO_TRAINING = {
    "train": {"gpus": 0, "fast": NO_LEVER},
    "infer": {"backend": "transformers", "gpus": 0},
    "tracking": {"mode": "disabled", "host": None},
    "data": {"analyses": None},  # a model would write them
}


@dataclass(frozen=True)
class Gathered:
    """The tokens of a run's pairs, and whether they were counted or estimated."""

    pairs: Pairs
    counted: bool
    reason: str | None  # why they were not counted
    too_long: int  # training pairs that were left out of an estimate as longer than dpo.max_length
    pairs_bytes: int  # of all pairs
    prompts_bytes: int  # of the held-out ones


def gather_pairs(config: Settings, overlays: list[Path]) -> Gathered:
    """Return the tokens of a run's pairs; stop with one line if its data stages do."""
    reason = why_not_counted(config)
    sides = list_sides(config, counted=reason is None)
    run_stages([str(path) for path in sides], overlays, NO_TRAINING | ({"model": {"folder": None}} if reason else {}))
    found = [estimate_file(path, config) for path in sides] if reason else count_files(sides, config)
    train, held_out = ([tokens for tokens in side if fits(tokens, config)] for side in found)
    if not train:
        sys.exit(f"dpo.max_length: all {len(found[0])} pairs are longer than {config['dpo']['max_length']}; raise it")
    limit = config["dpo"]["max_length"]
    train, held_out = ([cut_pair(tokens, limit) for tokens in side] for side in (train, held_out))
    if config["data"]["analyses"]:
        train, held_out = ([lengthen_pair(tokens, config) for tokens in side] for side in (train, held_out))
    return Gathered(
        pairs=Pairs(train, held_out, estimate_conversations(config) or train),
        counted=reason is None,
        reason=reason,
        too_long=len(found[0]) - len(train),
        pairs_bytes=sum(path.stat().st_size for path in sides),
        prompts_bytes=sides[1].stat().st_size,
    )


def list_sides(config: Settings, counted: bool) -> list[Path]:
    """Return the files of pairs to look at: those that training reads, where a model says what fits.

    With data.analyses they are those before it: no model answers for a plan, and what check_tokens would leave of pairs
    without analyses must not take the place of what the run trains on.
    """
    folder = Path("results") / config["run"] / ("dpo" if counted and not config["data"]["analyses"] else "data")
    return [folder / "train.jsonl", folder / "val.jsonl"]


def why_not_counted(config: Settings) -> str | None:
    """Return in one line why the run's tokenizer cannot be used; None if it can."""
    folder = config["model"]["folder"]
    if folder is None:
        built = Path("results") / config["run"] / "model"
        return None if (built / "tokenizer.json").is_file() else f"{built} is not built yet"
    return find_model_problem(Path(folder))


def lengthen_pair(tokens: PairTokens, config: Settings) -> PairTokens:
    """Return a pair with an analysis of the base model before both answers, as long as it may be, and still fit."""
    room = config["dpo"]["max_length"] - max(tokens)
    analysis = min(config["infer"]["max_new_tokens"], room)
    return PairTokens(tokens.prompt, tokens.chosen + analysis, tokens.rejected + analysis)


def fits(tokens: PairTokens, config: Settings) -> bool:
    """Say whether a pair stays in the training."""
    is_cut = config["dpo"]["truncation_strategy"] != "delete"
    return is_cut or max(tokens) <= int(config["dpo"]["max_length"])


def run_stages(targets: list[str], overlays: list[Path], changes: Settings) -> None:
    """Let Snakemake make files on this machine, with changes over the overlays; stop with one line if it fails."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as over:
        yaml.safe_dump(changes, over)
        over.flush()
        # A profile of the environment may send jobs to a queue.
        options = ["--executor", "local", "--cores", "all", "--configfile", *map(str, overlays), over.name]
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *targets, *options], capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.exit(last_words(done))


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return why Snakemake failed, in one line."""
    if "LockException" in done.stderr:
        return "another snakemake makes this run's pairs; plan when it has ended; if there is none: snakemake --unlock"
    failed = [line for line in done.stdout.splitlines() if " failed: " in line]
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return failed[0] if failed else (lines or ["snakemake failed without a message"])[-1]


def estimate_file(path: Path, config: Settings) -> list[PairTokens]:
    """Estimate the tokens of each pair of a file."""
    rate = rate_of(config)
    return [estimate_pair(pair, rate) for pair in iterate_json_lines(path)]


def count_files(paths: list[Path], config: Settings) -> list[list[PairTokens]]:
    """Return the tokens of each pair of each file, by tools/count_tokens.py in the training environment."""
    model = config["model"]["folder"] or f"results/{config['run']}/model"
    command = ["envs/with-training", "python", "-m", "tools.count_tokens", *map(str, paths), "--model", model]
    command += ["--loss-scale", config["dpo"]["loss_scale"], "--prompt-date", config["prompt"]["date"]]
    command += ["--effort", config["prompt"]["reasoning_effort"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{paths[0]}: its tokens cannot be counted: {(done.stderr.splitlines() or ['no message'])[-1]}")
    return [[PairTokens(*tokens) for tokens in json.loads(line)] for line in done.stdout.splitlines()]


def estimate_conversations(config: Settings) -> list[PairTokens]:
    """Estimate the tokens of each conversation of sft.data; an empty list if there is no such file."""
    if not config["sft"]["enabled"] or not config["sft"]["data"]:
        return []
    rows = read_conversations(Path(config["sft"]["data"]), set())
    pairs = [
        estimate_pair(row | {"rejected_response": row["messages"][-1]["content"]}, rate_of(config)) for row in rows
    ]
    return [cut_pair(tokens, config["dpo"]["max_length"]) for tokens in pairs]


def rate_of(config: Settings) -> Rate:
    """Return the rate of a run's tokenizer."""
    return GPT_OSS if config["model"]["folder"] else TINY
