"""Write an overlay for your pairs and this machine's GPUs, and say what was chosen and why.

    python -m tools.write_experiment mine my_pairs.jsonl
    python -m tools.write_experiment mine my_pairs.jsonl --gpu a100-80gb --gpus 2

By make: `make new EXPERIMENT=mine DATA=my_pairs.jsonl`. It reads the pairs as a run does, and writes
experiments/mine.yaml, which must be new. Without GPUs here, and without --gpu, the overlay is for a tiny model on the
CPU, which tries every stage.
"""

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.files.json_files import read_json
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.models.model_folder import find_model_problem
from pipeline.planning.choose_recipe import choose_recipe
from pipeline.planning.find_cards import Cards, list_cards, name_cards
from pipeline.planning.pair_tokens import count_files, estimate_file, why_not_counted
from pipeline.planning.tokens import PairTokens
from pipeline.preferences.name_languages import find_languages
from pipeline.preferences.problems import PROBLEMS
from pipeline.preferences.rejects import say_dropped
from pipeline.settings.check import find_problems, load_config, merge
from pipeline.settings.choices import Choice, apply_choices, as_yaml, render_overlay
from pipeline.settings.reads import part_for
from pipeline.settings.stage import stage_parser

Settings = dict[str, Any]

STAGE, SPLIT = "convert_preferences", "split_preferences"
EXPERIMENTS, PROFILE = Path("experiments"), Path("profiles/default/config.yaml")
TINY, ON_CPU = "embedded-pairs", 500  # the recipe without GPUs, and the most pairs that it takes
MARGIN = 1.2  # an estimate may be as far below the tokens of a pair (docs/planning.md)
LONGEST_ON_CPU = 4096  # tokens
FEW_OTHERS = 0.1  # of the pairs of translations, that may be in other languages
LONGEST_NAME = 100  # of an overlay
FEW = 500  # pairs; of fewer, a larger part is held out


@dataclass(frozen=True)
class Seen:
    """What was seen of the data: the conversion's account, the pairs, and their languages."""

    raw: str
    quality: Settings
    pairs: list[Settings]
    languages: dict[str, str] | None
    path: Path  # of the pairs


def run_stage(stage: str, file: str, config: Settings, out: Path) -> subprocess.CompletedProcess[str]:
    """Run a stage of the data on a file, as a run does."""
    settings = json.dumps(part_for(stage, config), ensure_ascii=False)
    command = [sys.executable, "-m", f"scripts.{stage}", file, "--settings", settings, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def convert(raw: str, languages: dict[str, str] | None, out: Path) -> Seen:
    """Check the pairs as a run does, with the checks of translations or without; ValueError if none can be used."""
    data = {"raw": raw, "languages": languages, "on_problem": "drop"}
    done = run_stage(STAGE, raw, merge(load_config([]), {"data": data}), out)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"{raw}: cannot be read"])[-1]
        others = f"(all of them: python -m tools.check_pairs {raw} --out checked)"  # `out` will be gone
        raise ValueError(re.sub(r"\([\d,]+ more in [^)]*\)", others, said))
    pairs = out / "pairs.jsonl"
    return Seen(raw, read_json(out / "quality.json"), read_json_lines(pairs), languages, pairs)


def see_data(raw: str, out: Path) -> Seen:
    """Return the data as a run would see them: as translations, where the prompts ask for them and nearly all are."""
    plain = convert(raw, None, out / "plain")
    if not (languages := find_languages(plain.pairs)):
        return plain
    try:
        checked = convert(raw, languages, out / "checked")
    except ValueError:  # most are in other languages
        return plain
    others = checked.quality["codes"].get("wrong-language", 0)
    return checked if others <= FEW_OTHERS * len(checked.pairs) else plain


def say_rows(seen: Seen) -> str:
    """Return the rows and their format in words, with the codes of what was found."""
    account = seen.quality
    said = f"{account['rows_used']:,} of {account['rows_in']:,} rows can be used"
    formats = ", ".join(sorted({file["format"] for file in account["files"] if file.get("format")}))
    found = ", ".join(code for code in account["codes"] if PROBLEMS[code].severity == "warning")
    return said + (f", of the format {formats}" if formats else "") + (f"; found: {found}" if found else "")


def choose_data(seen: Seen, limit: int | None, too_long: int) -> list[Choice]:
    """Return the settings of `data:`; `too_long` pairs are longer than dpo.max_length."""
    raw = [{"file": seen.raw, "limit": limit}] if limit else seen.raw
    drawn = f"; {limit} of them are drawn, since a tiny model only tries the stages" if limit else ""
    named = "the prompts ask for such translations: numbers, placeholders and tags are compared"
    choices = [
        Choice("data.raw", raw, say_rows(seen) + drawn),
        Choice(
            "data.languages",
            seen.languages,
            named
            if seen.languages
            else "no translations: most prompts do not ask for one, or a tenth of the pairs are in other languages",
        ),
    ]
    bad, account = seen.quality["rows_at_fault"], seen.quality
    reasons = [say_dropped(account["rows_rejected"], account["rows_in"], account["codes"])] if bad else []
    reasons += [f"{too_long:,} pairs are longer than dpo.max_length"] if too_long else []
    if reasons:
        choices.append(Choice("data.on_problem", "drop", f"{'; '.join(reasons)}; stop would refuse the run"))
    count = min(len(seen.pairs), limit or len(seen.pairs))
    if count < FEW:
        choices.append(Choice("data.val_fraction", 0.2, f"of {count:,} pairs, a tenth is too few to compare answers"))
    return choices


def count_tokens(seen: Seen, config: Settings) -> tuple[list[PairTokens], str]:
    """Return the tokens of each pair, counted by the recipe's tokenizer or estimated with a margin, and which."""
    path = seen.path
    if not why_not_counted(config):
        return count_files([path], config)[0], "counted"
    scaled = [PairTokens(*(round(MARGIN * count) for count in pair)) for pair in estimate_file(path, config)]
    return scaled, f"estimated, with a margin of {MARGIN - 1:.0%}"


def choose_for_cpu(seen: Seen) -> tuple[str, list[Choice], list[bool]]:
    """Return the recipe of a tiny model on the CPU, what differs from it, and whether each pair is short enough.

    A byte is a token at most.
    """
    sizes = [len(json.dumps(pair, ensure_ascii=False).encode()) + 100 for pair in seen.pairs]
    length = min(LONGEST_ON_CPU, 64 * (max(sizes) // 64 + 1))
    too_long = sum(size > length for size in sizes)
    limit = ON_CPU if len(seen.pairs) > ON_CPU else None
    why = "above what the longest pair can have, a token a byte" if not too_long else "the most on a CPU"
    choices = [*choose_data(seen, limit, too_long), Choice("dpo.max_length", length, why)]
    return TINY, choices, is_short(seen, sizes, length)


def is_short(seen: Seen, sizes: list[int], length: int) -> list[bool]:
    """Say of each pair whether a tiny model takes it: by its bytes, or, where none is so short, by estimated tokens."""
    found = [size <= length for size in sizes]
    if any(found):
        return found
    found = [max(pair) <= length for pair in estimate_file(seen.path, load_config([EXPERIMENTS / f"{TINY}.yaml"]))]
    if not any(found):
        said = f"every pair is longer than {length:,} tokens, the most on a CPU"
        raise ValueError(f"{seen.raw}: {said}; bring shorter ones, or name a GPU, such as GPU=h100")
    return found


def require_sides(seen: Seen, short: list[bool], config: Settings, out: Path) -> None:
    """Stop with ValueError unless the short pairs can be split into some to train on and some to hold out."""
    pairs, kept = out / "short.jsonl", [pair for pair, is_kept in zip(seen.pairs, short, strict=True) if is_kept]
    write_json_lines(pairs, kept)
    if run_stage(SPLIT, str(pairs), config, out / "split").returncode:
        raise ValueError(
            f"{seen.raw}: pairs that can be used: {len(kept)}; too few to train on some and to hold others out; "
            "bring more, of other prompts"
        )


def choose_for_cards(seen: Seen, cards: Cards) -> tuple[str, list[Choice], list[bool]]:
    """Return the recipe for GPUs, what differs from it, and whether each pair is short enough.

    ValueError, in one line, if no recipe fits.
    """
    tokens, how = count_tokens(seen, load_config([EXPERIMENTS / "gpt-oss-20b-one-gpu.yaml"]))
    recipe, choices = choose_recipe(cards, tokens)
    length = next(choice.value for choice in choices if choice.name == "dpo.max_length")
    short = [max(pair) <= length for pair in tokens]
    said = [Choice(one.name, one.value, one.why + f" ({how})" * (one.name == "dpo.max_length")) for one in choices]
    return recipe, [*choose_data(seen, None, short.count(False)), *said], short


def say_notes(seen: Seen) -> list[str]:
    """Return notes on thinking and tools, which need no setting."""
    thinking, tools = seen.quality["thinking"], sum("tools" in pair for pair in seen.pairs)
    thinks = thinking["both"] + thinking["chosen"]
    notes = [f"{tools:,} pairs have tools: rendered as harmony has them"] if tools else []
    if thinks:
        return [*notes, f"{thinks:,} chosen answers think: trained as they are"]
    return [
        *notes,
        "no chosen answer thinks, and the tuned model will think less: docs/data.md#thinking-effort-and-tools",
    ]


def place_of(experiment: str) -> Path:
    """Return the overlay that a name or a path means; stop with one line if it is there, or cannot be written."""
    path = Path(f"{experiment.removesuffix('.yaml')}.yaml")
    path = path if path.parent != Path() else EXPERIMENTS / path
    if len(path.name) > LONGEST_NAME:
        sys.exit(f"{path.name[:40]}…: too long for the name of a file; give EXPERIMENT a shorter one")
    if path.stem == load_config([])["run"]:
        sys.exit(
            f"{path}: {path.stem} is the run of config.yaml, whose results it would take; give EXPERIMENT another name"
        )
    if path.exists():
        sys.exit(f"{path}: already exists; give EXPERIMENT another name, or remove it")
    if not path.parent.is_dir():
        sys.exit(f"{path.parent}: no such folder; make it, or give EXPERIMENT a name alone")
    if problems := find_problems(load_config([]) | {"run": path.stem}):
        sys.exit(f"{path}: {problems[0]}")
    return path


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("experiment", help="name of the overlay, or its path; it must be new")
    parser.add_argument("data", help="your pairs: a file, a folder, or a glob in quotes")
    parser.add_argument("--gpu", help="model of GPU, such as a100-80gb; without it, those of this machine")
    parser.add_argument("--gpus", help="how many of --gpu; 1 if it is not said")
    args = parser.parse_args(argv)

    path = place_of(args.experiment)
    if args.gpus is not None and not args.gpu:
        sys.exit("GPUS is given without GPU; name the model too, such as GPU=a100-80gb GPUS=2")
    try:
        cards = name_cards(args.gpu, args.gpus or "1") if args.gpu else list_cards()
        with tempfile.TemporaryDirectory() as folder:
            seen = see_data(args.data, Path(folder))
            recipe, choices, short = choose_for_cards(seen, cards) if cards else choose_for_cpu(seen)
            config = apply_choices(load_config([EXPERIMENTS / f"{recipe}.yaml"]), choices)
            require_sides(seen, short, config, Path(folder))
    except ValueError as error:
        sys.exit(str(error))
    notes = say_notes(seen)
    on = f"DPO of gpt-oss-20b on {cards}" if cards else "DPO of a tiny model on the CPU, to try every stage"
    head = [f"{on}, with the pairs of {args.data}. Written by make new."]
    head += [
        f"{does:<11} make {target} EXPERIMENT={args.experiment}"
        for does, target in (("See it", "plan"), ("Run it", "run"))
    ]
    head += [f"{'Note':<11} {note}" for note in notes]
    text = render_overlay(head, EXPERIMENTS / f"{recipe}.yaml", [Choice("run", path.stem), *choices])
    path.write_text(text, encoding="utf-8")

    print(f"{path}: {on}, as experiments/{recipe}.yaml, with")
    for choice in choices:
        print(f"  {choice.name}: {as_yaml(choice.value)}  ({choice.why})")
    print(*(f"  {note}" for note in notes), *say_next(args.experiment, path), sep="\n")


def say_next(experiment: str, path: Path) -> list[str]:
    """Return the commands that come next: the model first, where it is not there."""
    config = load_config([path])
    folder, gpus = config["model"]["folder"], config["train"]["gpus"]
    problem = find_model_problem(Path(folder)) if folder else None
    lent = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))["resources"]["gpu"]
    run = f"snakemake --cores all --resources gpu={gpus} --configfile {path}"
    commands = [f"make plan EXPERIMENT={experiment}", run if gpus > lent else f"make run EXPERIMENT={experiment}"]
    return ["Next:", *(f"  {command}" for command in commands), *([f"  Before the run: {problem}"] if problem else [])]


if __name__ == "__main__":
    main()
