"""Explain a swift DPO command, flag by flag, and write it as an experiment of this project.

    python -m tools.explain_command 'NPROC_PER_NODE=4 swift rlhf --rlhf_type dpo …'
    python -m tools.explain_command --from results/tiny
    python -m tools.explain_command @train.sh --overlay experiments/mine.yaml

The command is one argument in quotes, @FILE, or - for standard input. Every flag is explained under ms-swift 4.6.0,
which this project pins; a command for 3.7.0 is translated so that it trains the same loss.
"""

import argparse
import re
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import yaml

from pipeline.settings.check import find_problems, load_config, merge
from pipeline.settings.stage import stage_parser
from pipeline.swift_commands.flag_knowledge import (
    OLD,
    PINNED,
    RELEASES,
    effect_of,
    known_of,
    load_defaults,
    load_knowledge,
    moved_defaults,
    nearest_flag,
    out_of_range,
    release_of,
)
from pipeline.swift_commands.read_command import Command, read_command, read_run
from pipeline.swift_commands.translate import Translation, in_force, number, translate

WIDTH = 120


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = stage_parser(__doc__, settings=False)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("command", nargs="?", help="the command in quotes, @FILE, or - for standard input")
    source.add_argument("--from", dest="run_folder", type=Path, metavar="RESULTS", help="a run's folder: results/<run>")
    parser.add_argument("--release", choices=RELEASES, help="what the command is written for; as far as flags tell")
    parser.add_argument("--overlay", type=Path, help="write the settings to this file, which must be new")
    return parser.parse_args(argv)


def read_source(args: argparse.Namespace) -> Command:
    """Return the command that the command line names; ValueError if it is not one."""
    if args.run_folder:
        return read_run(args.run_folder)
    if args.command == "-":
        return read_command(sys.stdin.read())
    if args.command.startswith("@"):
        try:
            return read_command(Path(args.command[1:]).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{args.command[1:]}: cannot be read: {error}") from None
    return read_command(args.command)


def explain_flag(flag: str, command: Command, release: str) -> tuple[str, str]:
    """Return the effect of a flag under the pinned release, and its meaning there in words."""
    value = " ".join(command.flags[flag])
    entry = known_of(flag, value)
    old, pinned = load_defaults(OLD), load_defaults(PINNED)
    if flag not in old and flag not in pinned and not entry:
        near = nearest_flag(flag, release)
        return "unknown", f"not a flag of {release}, which stops at it" + (f"; did you mean --{near}?" if near else "")
    if flag not in pinned and not entry:
        return "refused", f"{PINNED} has no such flag, and stops at it"
    words = [entry.get("meaning", "Not examined by this project."), entry.get("now")]
    if new := entry.get("values", {}).get(value):
        words.append(f"This value is {new} now.")
    if "only_with" in entry and not set(entry["only_with"]) & set(command.flags):
        words.append(f"Nothing without --{' or --'.join(entry['only_with'])}.")
    if release == OLD and flag not in old:
        words.append(f"{OLD} does not know the flag.")
    elif release == OLD and "was" in entry:
        words.append(f"Under {OLD}: {entry['was']}")
    return effect_of(flag, command.flags), " ".join(filter(None, words))


def list_flags(command: Command, release: str) -> Iterator[str]:
    """Yield the table of flags: as written, the effect, and what it means."""
    rows = [
        (f"--{flag} {' '.join(values)}".strip(), *explain_flag(flag, command, release))
        for flag, values in command.flags.items()
    ]
    environment = load_knowledge()["environment"]
    rows += [
        (f"{name}={value}", environment[name]["effect"], environment[name]["meaning"])
        for name, value in command.environment.items()
        if name in environment
    ]
    first = min(44, max(len(written) for written, _, _ in rows)) if rows else 0
    for written, effect, text in rows:
        yield from aligned([(written, first), (effect, 9)], text)


def aligned(columns: list[tuple[str, int]], text: str) -> Iterator[str]:
    """Yield lines with the columns at their widths and the text wrapped to the right of them."""
    head = "  " + "".join(f"{cell:<{width}}  " for cell, width in columns)
    indent = 2 + sum(width + 2 for _, width in columns)
    if len(head) > indent:
        yield head.rstrip()
        head = " " * indent
    yield from textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * indent, break_on_hyphens=False)


def list_unasked(command: Command) -> Iterator[str]:
    """Yield the defaults that differ between the releases and that the command does not set."""
    moved = {flag: pair for flag, pair in moved_defaults().items() if flag not in command.flags}
    without = load_knowledge()["without_a_part"]
    for flag, (old, new) in moved.items():
        if flag not in without:
            yield from aligned([(flag, 30), (f"{old} -> {new}", 20)], known_of(flag)["meaning"])
    for name, entry in load_knowledge()["unasked"].items():
        yield from aligned([(name, 30), ("", 20)], f"{OLD}: {entry['was']} {PINNED}: {entry['now']}")
    others = ", ".join(flag for flag in moved if flag in without)
    yield from aligned([("without a part in DPO", 30), ("", 20)], others)


def list_unusual(command: Command, release: str) -> Iterator[str]:
    """Yield the values, set or by default, outside of the range that recipes and papers use."""
    unasked = in_force(command, command.flags, release)
    for flag, entry in load_knowledge()["flags"].items():
        asked = flag in command.flags
        value = number(" ".join(command.flags[flag])) if asked else unasked.get(flag)
        if "usual" in entry and isinstance(value, int | float) and (line := out_of_range(flag, value)):
            yield from aligned([(f"--{flag}" if asked else f"{flag}, unasked", 30)], line)


def describe(command: Command, release: str, reason: str) -> Iterator[str]:
    """Yield the explanation of the command, section by section."""
    yield f"Read as a command for ms-swift {release} ({reason}), and explained under {PINNED}."
    sections: list[tuple[str, list[str]]] = [
        ("As it is written", [line for remark in command.remarks for line in aligned([], remark)]),
        ("Its flags", list(list_flags(command, release))),
        (f"Not in the command, and not the same under {OLD} and {PINNED}", list(list_unasked(command))),
        ("Outside of what recipes and papers use", list(list_unusual(command, release))),
    ]
    for title, lines in sections:
        if lines:
            yield from ["", title, *lines]


def overlay_text(translation: Translation, release: str) -> str:
    """Return the settings as an overlay of config.yaml; its head names what no setting expresses."""
    head = [f"A swift DPO command for ms-swift {release}, written by tools/explain_command.py."]
    if "infer" in translation.settings:
        head += ["The sections infer and dvc are not from the command: what a run on GPUs needs beside it."]
    if translation.missing:
        head += ["What no setting expresses:", *(f"  {line}" for line in translation.missing)]
    wrapped = [line for text in head for line in textwrap.wrap(text, WIDTH - 2, subsequent_indent="    ")]
    settings = yaml.safe_dump(translation.settings, sort_keys=False, allow_unicode=True, width=WIDTH)
    return "\n".join(f"# {line}" for line in wrapped) + f"\n\n{settings}"


def run_name(command: Command, overlay: Path | None) -> str:
    """Return a name for the run: the overlay's, or SwanLab's name of the command."""
    asked = overlay.stem if overlay else (command.flags.get("swanlab_exp_name") or ["explained"])[-1]
    return re.sub(r"[^a-z0-9.-]+", "-", asked.lower()).strip("-.") or "explained"


def write_overlay(text: str, overlay: Path) -> None:
    """Write the overlay; ValueError if the file exists, or cannot be written."""
    try:
        with overlay.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ValueError(f"{overlay}: already exists; give another name to --overlay, or remove it") from None
    except OSError as error:
        raise ValueError(f"{overlay}: cannot be written: {error.strerror}") from None


def explain(args: argparse.Namespace) -> Iterator[str]:
    """Yield the explanation, and the overlay or where it was written; ValueError for what cannot be explained."""
    command = read_source(args)
    release, telling = release_of(command.flags)
    reason = f"--{telling} is of that release" if telling else "no flag tells another"
    if args.release:
        release, reason = args.release, "as --release says"
    translation = translate(command, release, run_name(command, args.overlay))
    if problems := find_problems(merge(load_config([]), translation.settings)):
        raise ValueError("\n".join(f"the command gives no settings: {problem}" for problem in problems))
    yield from describe(command, release, reason)
    if translation.missing:
        yield from ["", "Not expressed by a setting"]
        yield from (line for text in translation.missing for line in aligned([], text))
    text = overlay_text(translation, release)
    if args.overlay:
        write_overlay(text, args.overlay)
        yield from ["", f"Written to {args.overlay}; see it run: make plan EXPERIMENT={args.overlay.stem}"]
    else:
        yield from ["", "As an experiment of this project", "", text]


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    try:
        lines = list(explain(args))
    except ValueError as error:
        sys.exit(str(error))
    print("\n".join(lines))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `| head` ends it quietly
    main()
