"""The pairs that this repository brings, by their place in `data.raw`."""

INTERFACE = "data/interface/pairs.jsonl"  # made by a grammar: docs/interface-strings.md
EMBEDDED = (INTERFACE, "data/preferences.jsonl")  # the others were written by hand: docs/embedded-pairs.md
