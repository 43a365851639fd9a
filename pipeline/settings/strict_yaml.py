"""Read a file of settings that can be read in one way only: no key twice, no number but as it is written."""

import json
import re
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
ODD = re.compile(r"[_:]|^[+-]?0[\dxb]")  # octal, hexadecimal, binary, in sixties (1:30 is 90), or with underscores


class FaultyFile(Exception):
    """A file of settings cannot be read: the line, if it is known, what is wrong, and the fix."""


def read_settings(file: Path) -> dict[str, Any]:
    """Return the settings in a file of YAML or JSON; stop with one line, which names file and line, at a fault."""
    try:
        return parse_settings(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        sys.exit(f"{file}: {error.strerror}; name a file of settings")
    except UnicodeDecodeError as error:
        sys.exit(f"{file}: byte {error.start + 1} is not UTF-8; save the file as UTF-8")
    except FaultyFile as fault:
        sys.exit(f"{file}:{fault}")


def parse_settings(text: str) -> dict[str, Any]:
    """Return the settings in a text. It is read as JSON if it is JSON, else as YAML, as Snakemake does."""
    try:
        settings = json.loads(text, object_pairs_hook=unique_keys)
    except RecursionError:
        raise FaultyFile(" nested too deep; settings have four levels at most") from None
    except ValueError:
        settings = parse_yaml(text)
    if not isinstance(settings, dict):
        raise FaultyFile(" holds no settings; write `section: {key: value}`")
    return settings


def unique_keys(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the map of these items; a key that stands twice is named by the reader of YAML, which knows lines."""
    if len(found := dict(items)) < len(items):
        raise ValueError
    return found


def parse_yaml(text: str) -> Any:
    """Return the value of some YAML."""
    try:
        loader = yaml.SafeLoader(text)
        if (tree := loader.get_single_node()) is None:
            return None
        for fault in chain(find_repeats(tree, "", ()), find_odd_numbers(tree, "")):
            raise FaultyFile(fault)
        value = loader.construct_document(tree)
        repr(value)  # Python refuses to write a whole number of thousands of digits
        return value
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FaultyFile(
            f"{mark.line + 1 if mark else ''}: {error.problem or error.context}; correct the YAML"
        ) from None
    except RecursionError:
        raise FaultyFile(" nested too deep; settings have four levels at most") from None
    # A character that YAML does not have, or a day that the calendar does not have.
    except (yaml.YAMLError, ValueError) as error:
        raise FaultyFile(f" {' '.join(str(error).split())}; correct the YAML") from None


def find_odd_numbers(node: yaml.Node, path: str) -> Iterator[str]:
    """Yield the line and the name of each number that is read as another than it seems to be."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag in NUMBERS and ODD.search(node.value):
            read = yaml.safe_load(node.value)
            yield (
                f"{node.start_mark.line + 1}: {path}: {node.value} is read as {read}; write {read}, or '{node.value}' "
                "for a text"
            )
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from find_odd_numbers(item, f"{path}.{number}".removeprefix("."))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{path}.{key.value}".removeprefix(".") if isinstance(key, yaml.ScalarNode) else path
            yield from chain(find_odd_numbers(key, name), find_odd_numbers(value, name))


def find_repeats(node: yaml.Node, path: str, above: tuple[yaml.Node, ...]) -> Iterator[str]:
    """Yield the line and the name of each key that stands twice in a map, and of each value that holds itself."""
    if any(node is other for other in above):
        yield f"{node.start_mark.line + 1}: {path or 'a value'} holds itself; write the value out"
        return
    inside = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from find_repeats(item, f"{path}.{number}", inside)
    lines: dict[tuple[str, str], int] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        name = path
        if isinstance(key, yaml.ScalarNode):
            name = f"{path}.{key.value}".removeprefix(".")
            line, known = key.start_mark.line + 1, (key.tag, key.value)
            if known in lines:
                yield f"{line}: {name} stands a second time, after line {lines[known]}; keep one of them"
            lines[known] = line
        yield from find_repeats(value, name, inside)
