"""Plain English: names, docs and messages have none of the habits that have to be read twice."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import ROOT
from tests.workflow.test_docs import tracked

# Habits of the text, as patterns, each with its plain form. The lists are from readers who had to read twice.
HABITS = {
    r"mend(s|ed|ing)?": "fix",
    r"foret(ell|ells|old|elling)": "predict",
    r"anew": "again",
    r"merely": "only",
    r"unsaid": "silently",
    r"hence|thereby|therein|thereof|wherein|whence|lest": "so, by it, in it, of it",
    r"ought to|shall": "should, must",
    r"for want of": "because … is missing",
    r"but for": "except",
    r"of which": "whose, of these",
    r"so many": "this number of, a number of",
    r"(what|which|that) (?:(?!may)\S+ ){1,5}(come|comes|came) to": "result, figures",
    r"come by": "counted, estimated",
    r"[Rr]eturns? what|[Yy]ields? what": "a noun (the bytes of, the result of)",
    r"(?<![Tt]here )(is|are|was|were) none": "is not one",
    r"(?<![Tt]here )(is|are|was|were) no(?! longer| more)": "is not a",
    r"(is|are|was) to be": "must be, is",
    r"(has|have) (it |they )?not(?! \w+(ed|en|un)\b)": "does not have",
    r"[Hh]ave you an?": "if you have a",
    r"makes? of (it|them)|what became of|what becomes of|what came of": "result, handling",
    r"the like|its like|their like": "and similar ones",
}
# Words in any name, and whole names of functions, each with its plain form.
WORDS = {"mend": "fix", "mended": "fixed", "foretold": "predicted"}
FUNCTIONS = {
    "again": "recompute_command",
    "origin": "where_set",
    "deal": "take_shard",
    "own_records": "unshare_records",
    "kept_reference": "reference_cache",
    "meeting_point": "rendezvous",
    "on_each_node": "srun_prefix",
}
# Still to come: folders that are being rewritten. Empty when they are done.
TO_COME = ("pipeline/launch", "pipeline/training", "plugins", "tests/launch", "tests/plugins", "tests/training")
# The past, data as they come, and this list.
LEFT_OUT = ("docs/changelog.md", "tests/golden/", "tests/workflow/test_plain_english.py", ".")
STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
KINDS = {".py", ".md", ".yaml", ".smk", ".sh", ".in"}
NAMED = {"Makefile", "Snakefile"}
SENTENCES = re.compile("|".join(rf"(?P<h{number}>\b(?:{habit})\b)" for number, habit in enumerate(HABITS)))
PLAIN = list(HABITS.values())
FILES = sorted(
    path
    for path in tracked()
    if (Path(path).suffix in KINDS or Path(path).name in NAMED)
    and (ROOT / path).is_file()
    and not path.startswith((*LEFT_OUT, *(f"{folder}/" for folder in TO_COME)))
)


def read_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file, each with its line: of Python the strings and comments, else every paragraph."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        line = 1
        for paragraph in re.split(r"(\n\s*\n)", text):
            yield line, paragraph
            line += paragraph.count("\n")
        return
    comment: list[str] = []
    first = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            first = first if comment else token.start[0]
            comment.append(token.string)
        elif token.type != tokenize.NL and comment:
            yield first, "\n".join(comment)
            comment = []
        if token.type in STRINGS:
            yield token.start[0], token.string


def find_names(path: Path) -> Iterator[str]:
    """Yield the names in a file of Python that hold a word, or are a name, of the lists."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        name = getattr(node, "name", None) or getattr(node, "id", None) or getattr(node, "arg", None)
        if not isinstance(name, str):
            continue
        if isinstance(node, ast.FunctionDef) and name in FUNCTIONS:
            yield f"{node.lineno}: {name}(): {FUNCTIONS[name]}"
        for word in set(name.lower().split("_")) & WORDS.keys():
            yield f"{getattr(node, 'lineno', 0)}: {name}: {WORDS[word]}"


def find_habits(path: Path) -> Iterator[str]:
    """Yield the habits in a file, each with its line and its plain form."""
    for line, text in read_texts(path):
        joined = re.sub(r"\s+(#+ )?", " ", text)
        for found in SENTENCES.finditer(joined):
            form = PLAIN[int(str(found.lastgroup).removeprefix("h"))]
            yield f"{line}: {joined[max(0, found.start() - 30) : found.end() + 20]!r}: {form}"
    if path.suffix == ".py":
        yield from find_names(path)


@pytest.mark.parametrize("path", FILES)
def test_no_habit_that_has_to_be_read_twice_is_left(path):
    assert list(find_habits(ROOT / path)) == []


def test_habits_are_found_in_docstrings_comments_messages_and_names(tmp_path):
    lines = (
        '"""Return what it',
        'comes to."""',
        "# A row of",
        "# which one is used",
        'print("it is no pair")',
        "mend = 1",
    )
    file = tmp_path / "module.py"
    file.write_text("\n".join((*lines, "def origin(): ...", "")), encoding="utf-8")
    assert [found.rpartition(": ")[2] for found in find_habits(file)] == [
        "a noun (the bytes of, the result of)",
        "whose, of these",
        "is not a",
        "where_set",
        "fix",
    ]


def test_what_is_left_to_do_is_there():
    assert [folder for folder in TO_COME if not (ROOT / folder).is_dir()] == []
