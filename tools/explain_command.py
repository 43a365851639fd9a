"""Explain a swift command for preference pairs, flag by flag, and write it as an experiment of this project.

    python -m tools.explain_command 'NPROC_PER_NODE=4 swift rlhf --rlhf_type dpo …'
    python -m tools.explain_command --from results/tiny
    python -m tools.explain_command @train.sh --overlay experiments/mine.yaml

The command is one argument in quotes, @FILE, or - for standard input; in a script, it is the first `swift rlhf`. Every
flag is explained under ms-swift 4.6.0, which this project pins; a command for an older release is translated so that it
trains the same loss. Whatever becomes no setting is named.
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
from pipeline.settings.losses import kinds_with
from pipeline.settings.stage import stage_parser
from pipeline.swift_commands.flag_knowledge import (
    OLD,
    PINNED,
    effect_of,
    fault_of,
    hint_for,
    known_of,
    life_of,
    load_defaults,
    load_knowledge,
    moved_defaults,
    out_of_range,
    read_release,
    release_of,
    value_of,
)
from pipeline.swift_commands.leftovers import said_of
from pipeline.swift_commands.read_command import Command, read_command, read_run
from pipeline.swift_commands.translate import Translation, in_force, kind_of, translate
from pipeline.swift_commands.values import number

WIDTH = 120
UNKNOWN = "UNKNOWN"  # in capitals: a word that is misspelt is easily passed over among many that work


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = stage_parser(__doc__, settings=False)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("command", nargs="?", help="the command in quotes, @FILE, or - for standard input")
    source.add_argument("--from", dest="run_folder", type=Path, metavar="RESULTS", help="a run's folder: results/<run>")
    parser.add_argument("--release", help="of ms-swift that the command is written for, as 3.9; unasked, as flags tell")
    parser.add_argument("--overlay", type=Path, help="write the settings to this file, which must be new")
    return parser.parse_args(argv)


def read_source(args: argparse.Namespace) -> Command:
    """Return the command that the command line names; ValueError if it is not one."""
    if args.run_folder:
        return read_run(args.run_folder)
    if args.command != "-" and not args.command.startswith("@"):
        return read_command(args.command)
    name = "standard input" if args.command == "-" else args.command[1:]
    try:
        written = sys.stdin.buffer.read() if args.command == "-" else Path(name).read_bytes()
        return read_command(written.decode("utf-8"))
    except OSError as error:
        raise ValueError(f"{name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: cannot be read: not UTF-8; save it as UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def explain_flag(flag: str, command: Command, release: str) -> tuple[str, str]:
    """Return the effect of a flag under the pinned release, and its meaning there in words."""
    value = value_of(flag, command.flags[flag])
    entry = known_of(flag, value)
    known, hint = load_defaults(release), hint_for(flag, release)
    hint = f"{hint[:1].upper()}{hint[1:]}" + ("." if hint and hint[-1] != "?" else "")
    if flag not in known and flag not in load_defaults(PINNED) and not entry:
        return UNKNOWN, f"Not a flag of {release}, which stops at it. {hint}".strip()
    if fault := fault_of(flag, command.flags[flag]):
        return "refused", f"{entry.get('meaning', '')} Here {fault}.".strip()
    if flag not in load_defaults(PINNED) and not entry:
        return "refused", f"{PINNED} has no such flag, and stops at it. {hint}".strip()
    words = [entry.get("meaning", "Not examined by this project."), entry.get("now")]
    if new := entry.get("values", {}).get(value):
        words.append(f"This value is {new} now.")
    if "only_with" in entry and not set(entry["only_with"]) & set(command.flags):
        words.append(f"Nothing without --{' or --'.join(entry['only_with'])}.")
    if flag not in known:
        words.append(f"{release} does not know the flag. {hint}")
    elif release == OLD and "was" in entry:
        words.append(f"Under {OLD}: {entry['was']}")
    return effect_of(flag, command.flags), " ".join(filter(None, words))


def list_flags(command: Command, release: str) -> Iterator[str]:
    """Yield the table of flags: as written, the effect, and what it means."""
    rows = [(said_of(flag, values), *explain_flag(flag, command, release)) for flag, values in command.flags.items()]
    environment = load_knowledge()["environment"]
    rows += [
        (f"{name}={value}", environment[name]["effect"], environment[name]["meaning"])
        for name, value in command.environment.items()
        if name in environment
    ]
    first = min(44, max(len(written) for written, _, _ in rows)) if rows else 0
    for written, effect, text in rows:
        yield from aligned([(written, first), (effect, 9)], text)


def count_unknown(command: Command, release: str) -> Iterator[str]:
    """Yield the last line where flags are unknown: how many, and which."""
    unknown = [f"--{flag}" for flag in command.flags if explain_flag(flag, command, release)[0] == UNKNOWN]
    if unknown:
        count = f"{len(unknown)} of {len(command.flags)}"
        yield from ["", f"{UNKNOWN} flags: {count}; ms-swift {release} stops at {', '.join(unknown)}"]


def aligned(columns: list[tuple[str, int]], text: str) -> Iterator[str]:
    """Yield lines with the columns at their widths and the text wrapped to the right of them."""
    head = "  " + "".join(f"{cell:<{width}}  " for cell, width in columns)
    indent = 2 + sum(width + 2 for _, width in columns)
    if len(head) > indent:
        yield head.rstrip()
        head = " " * indent
    yield from textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * indent, break_on_hyphens=False)


def list_unasked(command: Command, older: str) -> Iterator[str]:
    """Yield the defaults that differ between the releases and that the command does not set."""
    kind = kind_of(command.flags)
    moved = {flag: pair for flag, pair in moved_defaults(older).items() if flag not in command.flags}
    without = load_knowledge()["without_a_part"]
    for flag, (old, new) in moved.items():
        if flag not in without and kind in (kinds_with(flag) or (kind,)):
            meaning = known_of(flag).get("meaning", "Not examined by this project.")
            yield from aligned([(flag, 30), (f"{old} -> {new}", 20)], meaning)
    for name, entry in load_knowledge()["unasked"].items():
        yield from aligned([(name, 30), ("", 20)], f"{OLD}: {entry['was']} {PINNED}: {entry['now']}")
    others = ", ".join(flag for flag in moved if flag in without)
    yield from aligned([("without a part in DPO", 30), ("", 20)], others)


def list_unusual(command: Command, release: str) -> Iterator[str]:
    """Yield the values, set or by default, outside of the range that recipes and papers use."""
    kind, unasked = kind_of(command.flags), in_force(command, command.flags, release)
    for flag, entry in load_knowledge()["flags"].items():
        asked = flag in command.flags
        value = number(" ".join(command.flags[flag])) if asked else unasked.get(flag)
        if kind not in entry.get("usual", {}).get("kinds", [kind]) or not isinstance(value, int | float):
            continue
        if "usual" in entry and (line := out_of_range(flag, value)):
            yield from aligned([(f"--{flag}" if asked else f"{flag}, unasked", 30)], line)


def describe(command: Command, release: str, reason: str) -> Iterator[str]:
    """Yield the explanation of the command, section by section."""
    yield from textwrap.wrap(
        f"Read as a command for ms-swift {release} ({reason}), and explained under {PINNED}.", WIDTH
    )
    older = OLD if release == PINNED else release
    sections: list[tuple[str, list[str]]] = [
        ("As it is written", [line for remark in command.remarks for line in aligned([], remark)]),
        ("Beside the command, and not read", [line for text in command.beside for line in aligned([], text)]),
        ("Its flags", list(list_flags(command, release))),
        (f"Not in the command, and not the same under {older} and {PINNED}", list(list_unasked(command, older))),
        ("Outside of what recipes and papers use", list(list_unusual(command, release))),
    ]
    for title, lines in sections:
        if lines:
            yield from ["", title, *lines]


def overlay_text(translation: Translation, release: str) -> str:
    """Return the settings as an overlay of config.yaml; its head names what no setting expresses."""
    head = [f"A swift command for ms-swift {release}, written by tools/explain_command.py."]
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
    reason = (
        f"--{telling}: {life_of(telling) or 'it tells'}; --release says another" if telling else "no flag tells another"
    )
    if args.release:
        release, reason = read_release(args.release), "as --release says"
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
        yield from ["", "As an experiment of this project", "", text.rstrip()]
    yield from count_unknown(command, release)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    try:
        lines = list(explain(args))
    except ValueError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was written")
    print("\n".join(lines))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `| head` ends it quietly
    main()
