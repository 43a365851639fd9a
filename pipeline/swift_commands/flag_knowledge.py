"""Read what is known of swift's flags: dumps of two releases, and schemas/swift_flags/knowledge.yaml."""

import difflib
import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "schemas" / "swift_flags"
OLD, PINNED = "3.7.0", "4.6.0"
RELEASES = (OLD, PINNED)


@cache
def load_defaults(release: str) -> dict[str, Any]:
    """Return every flag of `swift rlhf` in a release with its default, as its RLHFArguments has them."""
    defaults: dict[str, Any] = json.loads((FOLDER / f"{release}.json").read_text(encoding="utf-8"))
    return defaults


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


def effect_of(flag: str, flags: dict[str, list[str]]) -> str:
    """Return the effect of a flag under the pinned release; `works` if nothing is known of it."""
    value = " ".join(flags.get(flag, []))
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
    close = difflib.get_close_matches(unknown, load_defaults(release), n=1)
    return close[0] if close else None


def release_of(flags: dict[str, list[str]]) -> tuple[str, str | None]:
    """Return the release that flags are written for, as far as they tell, and the flag that tells it."""
    for release, other in ((OLD, PINNED), (PINNED, OLD)):
        for flag in flags:
            if flag in load_defaults(release) and flag not in load_defaults(other):
                return release, flag
    return PINNED, None


def moved_defaults() -> dict[str, tuple[Any, Any]]:
    """Return each flag of both releases whose default moved, with both defaults."""
    old, pinned = load_defaults(OLD), load_defaults(PINNED)
    return {flag: (old[flag], pinned[flag]) for flag in old if flag in pinned and old[flag] != pinned[flag]}


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
