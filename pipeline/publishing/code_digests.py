"""The files of code whose digests DVC compares."""

from pathlib import Path

from pipeline.graph.code_of import files_of

DIGESTS = Path("results/code.json")


def list_code() -> list[str]:
    """Return every file on which the script of a rule, or a plugin, depends."""
    plugins = [str(path) for path in sorted(Path("plugins").rglob("*.py"))]
    return sorted({file for rule in list_rules() for file in files_of(rule, plugins)})


def list_rules() -> list[str]:
    """Return the rules that have a script."""
    return sorted(path.stem for path in Path("scripts").glob("[!_]*.py"))
