"""Read what is known of swift's flags: dumps of two releases, knowledge.yaml, and releases.yaml for the others."""

import difflib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "schemas" / "swift_flags"
OLD, PINNED = "3.7.0", "4.6.0"
ON, OFF = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


@cache
def load_dump(release: str) -> dict[str, Any]:
    """Return every flag of `swift rlhf` in OLD or PINNED with its default, as its RLHFArguments has them."""
    defaults: dict[str, Any] = json.loads((FOLDER / f"{release}.json").read_text(encoding="utf-8"))
    return defaults


@cache
def load_releases() -> dict[str, Any]:
    """Return releases.yaml, with the sections `releases`, `flags`, `defaults`."""
    releases: dict[str, Any] = yaml.safe_load((FOLDER / "releases.yaml").read_text(encoding="utf-8"))
    return releases


def number_of(release: str) -> tuple[int, ...]:
    """Return a release as numbers, which can be compared."""
    return tuple(map(int, release.split(".")))


def read_release(text: str) -> str:
    """Return a release as three numbers: 3.9 is 3.9.0; ValueError if its flags are not known."""
    minor, releases = text.rpartition(".")[0] if text.count(".") == 2 else text, load_releases()["releases"]
    if minor not in releases or not re.fullmatch(r"[\d.]+", text):
        raise ValueError(f"{text}: not a release whose flags are known; write one of {releases[0]} to {releases[-1]}")
    return text if minor != text else f"{text}.0"


def was_flag(flag: str, release: str) -> bool:
    """Say whether a release has a flag."""
    minor = number_of(release)[:2]
    if flag not in load_releases()["flags"]:
        return flag in load_dump(OLD if minor < (4, 0) else PINNED)
    first, last = load_releases()["flags"][flag]
    return number_of(first) <= minor and (last is None or minor <= number_of(last))


@cache
def load_defaults(release: str) -> dict[str, Any]:
    """Return every flag of `swift rlhf` in a release with its default."""
    if release in (OLD, PINNED):
        return load_dump(release)
    older = number_of(release) < (4, 0)
    known = load_dump(PINNED) | load_dump(OLD) if older else load_dump(OLD) | load_dump(PINNED)
    known = dict.fromkeys(load_releases()["flags"]) | known
    defaults = {flag: default for flag, default in known.items() if was_flag(flag, release)}
    for flag, moves in load_releases()["defaults"].items():
        values = [value for since, value in moves.items() if number_of(since) <= number_of(release)[:2]]
        if flag in defaults and values:
            defaults[flag] = values[-1]
    return defaults


def life_of(flag: str) -> str | None:
    """Say in words which releases have a flag; None if all or none of them have it."""
    if flag not in load_releases()["flags"]:
        return None
    first, last = load_releases()["flags"][flag]
    return f"ms-swift {first} to {last} had it" if last else f"ms-swift has it from {first} on"


@cache
def load_knowledge() -> dict[str, Any]:
    """Return knowledge.yaml, with the sections `environment`, `flags`, `unasked`, `without_a_part`."""
    knowledge: dict[str, Any] = yaml.safe_load((FOLDER / "knowledge.yaml").read_text(encoding="utf-8"))
    return knowledge


def known_of(flag: str, value: str | None = None) -> dict[str, Any]:
    """Return the entry of a flag, with the entry of the value in it; empty if there is no entry."""
    entry: dict[str, Any] = load_knowledge()["flags"].get(flag, {})
    special: dict[str, Any] = entry.get("by_value", {}).get(value, {})
    return entry | special


def as_bool(values: list[str]) -> bool | None:
    """Return the value of a switch, which is on without a value; None for another value."""
    text = " ".join(values).lower()
    return True if text in ("", *ON) else False if text in OFF else None


def value_of(flag: str, values: list[str]) -> str:
    """Return the value of a flag as one text; that of a switch is true or false, and true where it has none."""
    text = " ".join(values)
    switched = as_bool(values) if takes_values(flag)[0] else None
    return text if switched is None else str(switched).lower()


def effect_of(flag: str, flags: dict[str, list[str]]) -> str:
    """Return the effect of a flag under the pinned release; `works` if nothing is known of it."""
    value = value_of(flag, flags.get(flag, []))
    entry = known_of(flag, value)
    if value in entry.get("values", {}):
        return "renamed"
    if "only_with" in entry and not set(entry["only_with"]) & set(flags):
        return "no effect"
    effect: str = entry.get("effect", "works")
    return effect


def spell_out(flag: str) -> tuple[str, list[str]]:
    """Return the flag that a name stands for, as swift's parser reads it, and the value that the name implies.

    A name may be cut short where one flag alone begins so, and `--no_x` is `--x false` where x is on by default.
    """
    known = load_defaults(OLD) | load_defaults(PINNED)
    denied = flag.removeprefix("no_")
    if flag not in known and known.get(denied) is True:
        return denied, ["false"]
    longer = [name for name in known if name.startswith(flag)]
    return longer[0] if flag not in known and len(longer) == 1 else flag, []


def nearest_flag(unknown: str, release: str) -> str | None:
    """Return the flag of a release that is spelt most like `unknown`."""
    close = difflib.get_close_matches(unknown, load_defaults(release), n=1, cutoff=0.75)
    return close[0] if close else None


def hint_for(flag: str, release: str) -> str:
    """Say what is known of a flag that a release does not have."""
    if said := load_knowledge()["of_ms_swift_2"].get(flag):
        return f"a flag of ms-swift 2: {said}"
    if known := life_of(flag):
        return known
    near = nearest_flag(flag, release)
    return f"did you mean --{near}?" if near else ""


def release_of(flags: dict[str, list[str]]) -> tuple[str, str | None]:
    """Return the release that flags are written for, as far as they tell, and the flag that tells it.

    It is the pinned one where that has them all, else 3.7.0, the tutorial's, else the newest that has them all.
    """
    others = [f"{release}.0" for release in reversed(load_releases()["releases"])]
    known = [flag for flag in flags if any(flag in load_defaults(release) for release in others)]
    fitting = [r for r in (PINNED, OLD, *others) if all(flag in load_defaults(r) for flag in known)]
    release = fitting[0] if fitting else OLD
    other = OLD if release == PINNED else PINNED
    return release, next((flag for flag in known if flag not in load_defaults(other)), None)


def moved_defaults(older: str = OLD) -> dict[str, tuple[Any, Any]]:
    """Return each flag of both an older and the pinned release whose default moved, with both defaults."""
    old, pinned = load_defaults(older), load_defaults(PINNED)
    return {flag: (old[flag], pinned[flag]) for flag in old if flag in pinned and old[flag] != pinned[flag]}


def takes_values(flag: str) -> tuple[bool, bool]:
    """Say whether a flag may stand without a value, and whether it takes more than one."""
    default = (load_dump(OLD) | load_dump(PINNED)).get(flag)
    forms = load_knowledge()["forms"]
    return isinstance(default, bool) or flag in forms["switches"], isinstance(default, list) or flag in forms["lists"]


def fault_of(flag: str, values: list[str]) -> str | None:
    """Say what is wrong with the number of values of a known flag; None if nothing is."""
    if flag not in load_dump(OLD) and flag not in load_dump(PINNED):
        return None
    alone, several = takes_values(flag)
    if not values and not alone:
        return "it has no value, and swift stops at it; give it one, or leave it out"
    if len(values) > 1 and not several:
        return f"it takes one value, and swift stops at the others: {' '.join(values[1:])}; put quotes around them"
    return None


def out_of_range(flag: str, value: float) -> str | None:
    """Say how far a value lies outside of what recipes and papers use, and by which source; None within it."""
    usual = known_of(flag).get("usual")
    if not usual or usual["low"] <= value <= usual["high"]:
        return None
    low, high = usual["low"], usual["high"]
    if value > high and low > 0:
        ratio = f"{value / high:.3g} to {value / low:.3g} times"
    elif value < low and value > 0:
        ratio = f"1/{high / value:.3g} to 1/{low / value:.3g} of"
    else:
        ratio = "outside of"
    return f"{value:g} is {ratio} the usual {low:g} to {high:g} ({usual['source']})"
