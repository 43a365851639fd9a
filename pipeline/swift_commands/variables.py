"""The variables of a shell script, as far as the script alone says what they are."""

import re

from pipeline.swift_commands.read_script import Statement, Word

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
EXPORTING = ("export", "declare", "local", "readonly", "typeset")
REFERENCE = re.compile(
    r"\$\{(?P<name>[A-Za-z_]\w*)(?P<all>\[[@*]\])?(?::?[-=](?P<default>[^{}$`]*))?\}|\$(?P<bare>[A-Za-z_]\w*)"
    r"|\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|`[^`]*`|\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\$[\d@*#?!$-]"
)
BEGINS = ("if", "for", "while", "until", "case", "select", "{")
ENDS = ("fi", "done", "esac", "}")
INTRODUCES = ("then", "else", "do", "!")


class Variables:
    """Values by name. A value is a list of words, or None where the script alone does not say what it is."""

    def __init__(self) -> None:
        self.values: dict[str, list[str] | None] = {}
        self.written: dict[str, str] = {}
        self.exported: set[str] = set()
        self.used: set[str] = set()
        self.depth = 0  # of branches, loops and functions around a statement

    def expand(self, word: Word, split: bool = True) -> tuple[list[str], list[str]]:
        """Return the words that a word stands for, and what in it the script does not say: `$NAME`, `$(…)`."""
        words, unknown = [""], list[str]()
        for part in word.parts:
            if not part.expands:
                words[-1] += part.text
                continue
            whole = REFERENCE.fullmatch(part.text)
            if whole and whole["all"] and (listed := self.values.get(whole["name"])) is not None:
                self.used.add(whole["name"])
                listed = listed if part.quoted else " ".join(listed).split()
                words[-1:] = [words[-1] + "".join(listed[:1]), *listed[1:]] if listed else words[-1:]
                continue
            text = REFERENCE.sub(lambda found: self.value_of(found, unknown), part.text)
            if split and not part.quoted and not unknown:
                pieces = text.split() or [""]
                words[-1:] = [words[-1] + pieces[0], *pieces[1:]]
            else:
                words[-1] += text
        nothing = words == [""] and all(part.expands and not part.quoted for part in word.parts)
        return ([] if nothing else words), unknown

    def value_of(self, found: re.Match[str], unknown: list[str]) -> str:
        """Return the value of a reference; one that is not known stays as it is written, and is noted."""
        name = found["name"] or found["bare"]
        self.used.add(name)
        value = self.values.get(name)
        if value is None and name not in self.values and found["default"] is not None:
            return found["default"].strip("'\"")
        if value is None:
            unknown.append(found[0])
            return found[0]
        return value[0] if value else ""

    def run(self, statement: Statement) -> bool:
        """Take over the assignments of a statement; say whether it consists of them alone."""
        words = list(statement.words)
        while words and words[0].written in (*BEGINS, *ENDS, *INTRODUCES):
            name = words.pop(0).written
            self.depth += (name in BEGINS) - (name in ENDS)
        exporting = bool(words) and words[0].written in EXPORTING
        assigned = [word for word in words[exporting:] if not (exporting and word.written.startswith("-"))]
        if not assigned or not all(ASSIGNMENT.match(word.written) or exporting for word in assigned):
            return False
        for word in assigned:
            self.assign(word, certain=self.depth <= 0 and statement.before not in ("&&", "||", "|"))
            if exporting and words[0].written == "export":
                self.exported.add(word.written.partition("=")[0])
        return len(words) == len(statement.words)

    def assign(self, word: Word, certain: bool) -> None:
        """Take over one assignment, NAME=value, NAME+=value or NAME=(…)."""
        if not (found := ASSIGNMENT.match(word.written)):
            return
        name, adds, self.written[name] = found[1], found[2], found[3]
        before = self.values.get(name, []) if adds else []
        expanded = [self.expand(item) for item in word.items] if word.items is not None else []
        if word.items is None:
            (text, *_), unknown = self.expand(word, split=False)
            value = text.partition("=")[2]
            expanded = [([value], unknown)]
        known = certain and before is not None and not any(unknown for _, unknown in expanded)
        words = [text for texts, _ in expanded for text in texts]
        if known and adds and word.items is None:
            self.values[name] = ["".join([*(before or [])[:1], *words])]
        else:
            self.values[name] = [*(before or []), *words] if known else None

    def text_of(self, name: str) -> str:
        """Return the value of a variable as one text; as it is written, where it is not known."""
        value = self.values.get(name)
        return self.written.get(name, "") if value is None else "".join(value[:1])
