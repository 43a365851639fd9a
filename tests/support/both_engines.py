"""Snakemake and DVC in one process: functions that call them run in forks of it, each in a folder.

Started for each question, the two engines would take several times as long; and without forks, what they remember of
one folder would be their answer about another one.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.support.project import ROOT

OWN = ("pipeline", "scripts", "tests", "tools")


def assert_nothing_to_do(clone: Path) -> None:
    """See that both engines find everything up to date, and nothing half made."""
    assert in_folder(clone, "tests.support.plans:plan") == {"snakemake": [], "dvc": {}}
    assert_nothing_half_made(clone)


def assert_nothing_half_made(clone: Path) -> None:
    """See that Snakemake has left neither a lock nor a mark of a job that has not ended."""
    assert [*clone.glob(".snakemake/incomplete/*"), *clone.glob(".snakemake/locks/*")] == []


def in_folder(folder: Path, function: str, *arguments: Any) -> Any:
    """Return the result of a function, named as module:name, of the project or a copy of it, in there.

    Its arguments and its result are what JSON can hold.
    """
    server = start_server()
    assert server.stdin and server.stdout
    print(json.dumps([str(folder), function, arguments]), file=server.stdin, flush=True)
    answer = json.loads(server.stdout.readline())
    assert "failed" not in answer, answer["failed"]
    return answer["result"]


@functools.cache
def start_server() -> subprocess.Popen[str]:
    """Start the process, once; it ends when its input does."""
    server = subprocess.Popen(
        [ROOT / ".venv-tests" / "bin" / "python", "-m", __name__],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)
    return server


def call(folder: str, function: str, arguments: list[Any]) -> dict[str, Any]:
    """Call a function in a folder, and return its result, or how it failed."""
    os.chdir(folder)
    try:
        import_from(folder)
        module, _, name = function.partition(":")
        return {"result": getattr(importlib.import_module(module), name)(*arguments)}
    except (Exception, SystemExit):
        return {"failed": traceback.format_exc()}


def import_from(folder: str) -> None:
    """Import this project's modules from a folder: again, except what has been read in files of the same bytes."""
    known = sys.modules["pipeline.graph.code_of"]
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    sys.path[0] = folder
    code_of = importlib.import_module("pipeline.graph.code_of")
    for name in ("parse", "mentions", "digest_of_module"):
        setattr(code_of, name, getattr(known, name))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an engine prints must not end up among the answers
    from tests.support.plans import list_commands

    list_commands([])  # each fork has then read all modules already
    gc.freeze()  # and does not copy them when it looks for garbage
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            print(json.dumps(call(*json.loads(line))), file=answers, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
