"""Read JSON Lines in chunks of a few megabytes, and other JSON value by value."""

import codecs
import io
import json
from collections.abc import Iterator
from typing import IO

from pipeline.preferences.chunk import CHUNK_BYTES, MAX_ROW_BYTES, BrokenFile, Chunk, TableRow
from pipeline.preferences.problems import Finding

WHITE = " \t\n\r"


def read_line_chunks(file: str, stream: IO[bytes]) -> Iterator[Chunk]:
    """Yield the lines of a file in chunks. A line of more than MAX_ROW_BYTES is skipped, and named."""
    line = 1
    while data := stream.read(CHUNK_BYTES):
        if line == 1:
            data = data.removeprefix(codecs.BOM_UTF8)
        if not data.endswith(b"\n"):
            data += stream.readline(MAX_ROW_BYTES)
        whole = data
        if len(data) > MAX_ROW_BYTES and not data.endswith(b"\n") and skip_line(stream):
            whole = data[: data.rfind(b"\n") + 1]
        if whole:
            yield Chunk(file, None, whole, line)
            line += whole.count(b"\n")
        if whole is not data:
            yield Chunk(file, None, b"\n", line, problems={0: Finding("too-large")})
            line += 1


def skip_line(stream: IO[bytes]) -> bool:
    """Read on to the end of the line; say whether there was more of it."""
    read = 0
    while block := stream.readline(CHUNK_BYTES):
        read += len(block)
        if block.endswith(b"\n"):
            break
    return read > 0


class JsonReader:
    """Reads the elements of a JSON array, or objects one after another, holding little more than one of them."""

    def __init__(self, stream: IO[bytes], what: str) -> None:
        self.what = what  # is read, in words
        # Bytes that are not UTF-8 come through unchanged, and are named with their row.
        self.stream = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self.decode = json.JSONDecoder(parse_int=float).raw_decode  # which knows no limit of digits
        self.text = ""
        self.position = 0
        self.line, self.column = 1, 0  # lines up to the text's beginning, and characters before it on its line
        self.counted = 0  # newlines are in `line` up to here
        self.ended = False

    def read_objects(self) -> Iterator[TableRow]:
        """Yield each object with the line that it begins on."""
        try:
            while found := self.peek():
                if found != "{":
                    raise self.broken("expected {")
                yield self.read_element()
        finally:
            self.stream.detach()

    def read_array(self) -> Iterator[TableRow]:
        """Yield each element with the line that it begins on."""
        try:
            self.expect("[")
            if self.peek() == "]":
                self.position += 1
            else:
                yield self.read_element()
                while self.expect(",]") == ",":
                    yield self.read_element()
            if self.peek():
                raise self.broken("more text after the end of the array")
        finally:
            self.stream.detach()

    def read_element(self) -> TableRow:
        """Return the element that begins at the next character."""
        self.peek()
        while True:
            try:
                _, end = self.decode(self.text, self.position)
                # A number or a literal may go on in what is not read yet.
                if end < len(self.text) or not self.read_more():
                    break
            except json.JSONDecodeError as error:
                if not self.read_more():
                    raise self.broken(error.msg, error.pos) from None
            except RecursionError:
                raise self.broken("nested too deeply") from None
        element, line = self.text[self.position : end], self.count_lines()
        self.position = end
        return TableRow(element.replace("\n", " ").encode("utf-8", "surrogateescape"), line)

    def peek(self) -> str:
        """Go to the next character that is not white space and return it; nothing at the end."""
        while True:
            while self.position < len(self.text) and self.text[self.position] in WHITE:
                self.position += 1
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.read_more():
                return ""

    def expect(self, characters: str) -> str:
        """Read one of these characters."""
        found = self.peek()
        if not found or found not in characters:
            raise self.broken(f"expected {' or '.join(characters)}")
        self.position += 1
        return found

    def read_more(self) -> bool:
        """Drop what is done with and read on; say whether there was more, within the limit of a row."""
        if self.ended or len(self.text) - self.position > MAX_ROW_BYTES:
            return False
        block = self.stream.read(CHUNK_BYTES)
        self.ended = not block
        if block:
            self.column = self.column_at(self.position)
            self.count_lines()
            self.text, self.position, self.counted = self.text[self.position :] + block, 0, 0
        return bool(block)

    def count_lines(self) -> int:
        """Return the line of the position."""
        self.line += self.text.count("\n", self.counted, self.position)
        self.counted = self.position
        return self.line

    def column_at(self, position: int) -> int:
        """Return how many characters of its line stand before a position in the text."""
        newline = self.text.rfind("\n", 0, position)
        return position - newline - 1 if newline >= 0 else self.column + position

    def broken(self, problem: str, position: int | None = None) -> BrokenFile:
        """Return the error that says from where on nothing can be read."""
        where = self.position if position is None else position
        line = self.count_lines() + self.text.count("\n", self.position, where)
        return BrokenFile(f"not {self.what}: {problem}", line, self.column_at(where) + 1)
