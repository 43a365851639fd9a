"""Find the files on which a rule's script depends, and give each a digest of its meaning.

A script depends on the modules that it imports, on those that they import, and on the files beside a module that it
names, such as templates. The digest of a module leaves out comments, docstrings and layout: an edit of those changes
no result. It is the same under every version of Python that knows the module's syntax.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.launch.plugins import plugin_files

ROOT = Path(__file__).parents[2]
IMPORT_ROOTS = (ROOT,)
STARTS_SWIFT = "pipeline/launch/plugins.py"  # who imports it loads the plugins of every stage
DIGITS = 12
# They follow from the rest of the code, or differ between versions of Python.
NO_MEANING = {"ctx", "kind", "type_comment"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_of(rule: str, plugins: Iterable[str] = ()) -> list[str]:
    """Return a line `path digest` for each file on which a rule's script depends, and on which these plugins do.

    Plugins are code that no module imports: those of ms-swift, and the figures of evaluate.own.
    """
    return [f"{file} {meaning_of(file)}" for file in files_of(rule, plugins)]


def files_of(rule: str, plugins: Iterable[str] = ()) -> list[str]:
    """Return the path of each file on which a rule's script and these plugins depend, relative to the project."""
    return with_used([f"scripts/{rule}.py", *plugins])


def with_used(files: Iterable[str]) -> list[str]:
    """Return files, and every file of this project on which they depend, by paths relative to the project."""
    waiting = list(files)
    found: set[str] = set()
    while waiting:
        if (file := waiting.pop()) not in found:
            found.add(file)
            waiting += used_by(file)
            waiting += plugin_files() if file == STARTS_SWIFT else []
    return sorted(found)


def used_by(file: str) -> list[str]:
    """Return the files of this project that a module imports, and those beside it that it names.

    Of a user's module outside the project, or one that is missing or cannot be read, nothing is known.
    """
    path = ROOT / file
    if path.suffix != ".py" or not path.is_file() or not path.is_relative_to(ROOT):
        return []
    try:
        names, words = mentions(path.read_bytes())
    except SyntaxError:
        return []
    found = [*imported_by(names, path.parent), *named_in(words, path.parent)]
    return [str(other.relative_to(ROOT)) for other in found]


@cache
def parse(source: bytes) -> ast.Module:
    """Return the syntax tree of a module, which is looked at for many rules."""
    return ast.parse(source)


@cache
def mentions(source: bytes) -> tuple[list[str], set[str]]:
    """Return the dotted names that a module may import, and the strings in it."""
    names, words = [], set()
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
    return names, words


def imported_by(names: list[str], folder: Path) -> Iterator[Path]:
    """Yield the files of imported modules; a plugin, which lies in `folder`, finds those in its own folder, too."""
    roots = (*IMPORT_ROOTS, folder) if folder.is_relative_to(ROOT / "plugins") else IMPORT_ROOTS
    for name in names:
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            place = Path(*parts[:depth])
            files = (root / file for root in roots for file in (place.with_suffix(".py"), place / "__init__.py"))
            yield from filter(Path.is_file, files)


def named_in(words: set[str], folder: Path) -> Iterator[Path]:
    """Yield the files in the folder of a module that its strings name, and all files of the folders that they name."""
    beside = {path.name: path for path in folder.iterdir() if path.suffix not in (".py", ".pyc")}
    for name in words & set(beside) - {"__pycache__"}:
        path = beside[name]
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and file.suffix not in (".py", ".pyc"))


def meaning_of(file: str) -> str:
    """Return the digest of a module's meaning, or of another file's bytes."""
    content = (ROOT / file).read_bytes()
    return digest_of_module(content) if file.endswith(".py") else digest_of(content)


@cache
def digest_of_module(source: bytes) -> str:
    """Return the digest of what a module means."""
    return digest_of(repr(outline(parse(source))).encode())


def digest_of(content: bytes) -> str:
    """Return a short SHA-256."""
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def outline(node: Any) -> Any:
    """Return a syntax tree as nested tuples, without docstrings, positions and empty fields."""
    if isinstance(node, list):
        return tuple(map(outline, node))
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = fields["body"][1:]
    kept = ((k, outline(v)) for k, v in sorted(fields.items()) if k not in NO_MEANING and v not in (None, []))
    return (type(node).__name__, *kept)
