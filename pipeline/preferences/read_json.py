"""Read a file of JSON in the form that it has: lines, an array, or objects over many lines."""

import codecs
import io
import json
from collections.abc import Iterator

from pipeline.preferences.chunk import Chunk, gather_chunks
from pipeline.preferences.read_lines import JsonReader, read_line_chunks
from pipeline.preferences.wrapped_rows import refuse_wrapped_rows

HEAD_BYTES = 1 << 20  # that are looked at before anything is read
decode = json.JSONDecoder(parse_int=float).raw_decode  # which knows no limit of digits


def read_json_chunks(file: str, stream: io.BufferedReader) -> Iterator[Chunk]:
    """Yield the rows of a file of JSON."""
    head = stream.peek(HEAD_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(b"["):
        return gather_chunks(file, JsonReader(stream, "a JSON array").read_array())
    is_long = spans_lines(head)
    refuse_wrapped_rows(head, file, goes_on=is_long or b"\n" not in head)
    if is_long:
        return gather_chunks(file, JsonReader(stream, "JSON objects one after another").read_objects())
    return read_line_chunks(file, stream)


def spans_lines(head: bytes) -> bool:
    """Say whether the first object goes on after its line: then this is not JSON Lines with a broken row."""
    line, _, rest = head.partition(b"\n")
    if not line.startswith(b"{") or not breaks_off(line):
        return False
    text = head.decode("utf-8", "replace")
    try:
        decode(text)
    except (json.JSONDecodeError, RecursionError):
        # Not read as a whole. In JSON Lines, other rows would stand on a line each.
        return bool(rest.strip()) and not any(row.startswith(b"{") and is_whole(row) for row in rest.splitlines())
    return True


def breaks_off(line: bytes) -> bool:
    """Say whether a line is the beginning of an object, without a fault so far."""
    text = line.decode("utf-8", "replace").rstrip()
    try:
        decode(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text)
    except RecursionError:
        return False
    return False


def is_whole(line: bytes) -> bool:
    """Say whether a line is JSON."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
