"""Split a shell script into its statements, and each statement into words, as a shell does.

Where its author meant more than a shell reads, the words are kept together, and the place is noted: for a shell, a
blank or a comment after `\\` ends a command, a line of comment below it does, and a word that touches it goes on.
"""

import re
from dataclasses import dataclass, field

START = r"(?<![^\s;&|()])"  # of a word
KINDS = {
    "joined": r"\\\n",
    "broken": r"\\[ \t]+(?:\#[^\n]*)?(?:\n|\Z)",
    "blank": r"[ \t]+",
    "comment": START + r"\#[^\n]*",
    "newline": r"\n",
    "document": r"<<-?[ \t]*(?P<quote>['\"]?)(?P<last>\w+)(?P=quote)",
    "redirection": rf"&>>?|(?:{START}\d+)?(?:<<<|>>|>&|<&|<>|>\||[<>])",
    "separator": r"&&|\|\||;;|\|&|[;&|()]",
    "single": r"'[^']*'",
    "double": r'"(?:\\.|\$\((?:[^()]|\([^()]*\))*\)|[^"\\])*"',
    "substitution": r"\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|`[^`]*`",
    "variable": r"\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\$(?:\w+|[@*#?!$-])",
    "escaped": r"\\.",
    "plain": r"[^ \t\n'\"\\$`;&|()<>]+|[$\\]",
}
TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()), re.DOTALL)
IN_DOUBLE = re.compile(r'\\(?P<escaped>[$`"\\])|\\\n|(?P<text>[^\\]+|\\)')
COMMENT_LINE = re.compile(r"[ \t]*#([^\n]*)(?:\n|\Z)")
NEXT_IS_FLAG = re.compile(r"(?:[ \t]*#[^\n]*\n)*[ \t]*-")
ARRAY = re.compile(r"[A-Za-z_]\w*\+?=")


@dataclass
class Part:
    """A piece of a word. With `expands`, it may hold variables; their values are split at blanks unless `quoted`."""

    text: str
    expands: bool = False
    quoted: bool = True


@dataclass
class Word:
    """A word as it is written, its pieces, and the words of an array that it is given: NAME=(…)."""

    line: int
    written: str = ""
    parts: list[Part] = field(default_factory=list)
    items: list["Word"] | None = None


@dataclass
class Statement:
    """A simple command: what stands before it (`\\n`, `&&`, `|`, …) and after it, its words and its redirections.

    `breaks` holds the line of each place where a shell ends it and its author did not, by the number of words before.
    """

    line: int
    before: str
    after: str = ""
    words: list[Word] = field(default_factory=list)
    redirections: list[str] = field(default_factory=list)
    breaks: dict[int, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([*(word.written for word in self.words), *self.redirections])


class ScriptReader:
    """Reads a script; `statements` holds its commands, and `comments` the text of each comment, both in order."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.line = 1
        self.statements = [Statement(1, "\n")]
        self.comments: list[str] = []
        self.word: Word | None = None
        self.array: Word | None = None
        self.names_file = False  # the next word is the file of a redirection
        self.documents: list[str] = []  # last lines of the here-documents that begin in the next line
        position = 0
        while position < len(text):
            position = self.take(position)
        self.separate("")
        self.statements = [found for found in self.statements if found.words or found.redirections]

    def take(self, position: int) -> int:
        """Take the next token, and return the position after it; ValueError where a quotation does not end."""
        found = TOKEN.match(self.text, position)
        if found is None:
            raise ValueError(f"line {self.line}: No closing quotation")
        kind, text = found.lastgroup, found[0]
        if kind in ("joined", "broken"):
            return self.go_on(found)
        if kind == "blank":
            self.end_word()
        elif kind == "comment":
            self.comments.append(text.lstrip("# "))
        elif kind == "newline":
            self.separate("\n")
        elif kind == "separator":
            self.separate(text)
        elif kind in ("redirection", "document"):
            self.end_word()
            self.statements[-1].redirections.append(text)
            self.names_file = kind == "redirection"
            self.documents += [found["last"]] if kind == "document" else []
        else:
            self.extend(str(kind), text)
        self.line += text.count("\n")
        return self.skip_documents(found.end()) if kind == "newline" else found.end()

    def go_on(self, found: re.Match[str]) -> int:
        """Go on in the next line, over comments that its author put between; return the position there."""
        broken = found.lastgroup == "broken"
        touched = self.word is not None and self.text.startswith("--", found.end())
        if broken or touched:
            self.end_word()
            self.note_break()
        if "#" in found[0]:
            self.comments.append(found[0].partition("#")[2].strip())
        self.line += 1
        position = found.end()
        while comment := COMMENT_LINE.match(self.text, position):
            if not (comment[1].rstrip().endswith("\\") or NEXT_IS_FLAG.match(self.text, comment.end())):
                break
            self.end_word()
            self.note_break()
            self.comments.append(comment[1].strip())
            self.line += 1
            position = comment.end()
        return position

    def note_break(self) -> None:
        """Note that a shell ends the statement here."""
        statement = self.statements[-1]
        statement.breaks.setdefault(len(statement.words), self.line)

    def skip_documents(self, position: int) -> int:
        """Skip the lines of here-documents, and return the position after them."""
        for last in self.documents:
            end = re.compile(rf"^\t*{last}$", re.MULTILINE).search(self.text, position)
            after = end.end() if end else len(self.text)
            self.line += self.text.count("\n", position, after)
            position = after
        self.documents = []
        return position

    def extend(self, kind: str, text: str) -> None:
        """Add a piece to the word; a comment in backquotes is not a piece."""
        if text.startswith("`#"):
            self.comments.append(text.strip("`# "))
            return
        self.word = self.word or Word(self.line)
        self.word.written += text
        if kind == "single":
            self.word.parts.append(Part(text[1:-1]))
        elif kind == "double":
            found = list(IN_DOUBLE.finditer(text[1:-1]))
            parts = [Part(piece["escaped"] or piece["text"] or "", bool(piece["text"])) for piece in found]
            self.word.parts += parts or [Part("")]
        elif kind in ("variable", "substitution"):
            self.word.parts.append(Part(text, expands=True, quoted=False))
        else:
            self.word.parts.append(Part(text[1:] if kind == "escaped" else text))

    def end_word(self) -> None:
        """Put the word where it belongs: into an array, a redirection or the statement."""
        word, self.word = self.word, None
        if word is None:
            return
        statement = self.statements[-1]
        if self.array is not None:
            self.array.items = [*(self.array.items or []), word]
        elif self.names_file:
            blank = "" if statement.redirections[-1].endswith("&") else " "
            statement.redirections[-1] += blank + word.written
            self.names_file = False
        else:
            statement.line = statement.line if statement.words else word.line
            statement.words.append(word)

    def separate(self, operator: str) -> None:
        """End the statement at an operator, or begin or end an array."""
        if operator == "(" and self.word and ARRAY.fullmatch(self.word.written):
            self.array, self.word = self.word, None
            self.array.items = []
            return
        self.end_word()
        if self.array is not None:
            if operator in (")", ""):
                self.array.written += f"({' '.join(item.written for item in self.array.items or [])})"
                self.word, self.array = self.array, None
                self.end_word()
            return
        statement = self.statements[-1]
        if statement.words or statement.redirections:
            statement.after = operator
            self.statements.append(Statement(self.line, operator))
        elif operator != "\n":
            statement.before = operator
