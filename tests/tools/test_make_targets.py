"""The targets of the Makefile for a finished run: which command each types, and what of the environment it takes."""

import re
import shlex

import pytest

from tests.support.project import ROOT, run_command

PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
SERVE = ["python", "-m", "tools.serve_run", "--run", "tiny", "--host"]


def typed(*words: str, **environment: str) -> list[str]:
    """Return the words of the last command that make would run, without the environment's."""
    shown = run_command("make", "--dry-run", "--no-print-directory", *words, **environment).stdout
    return shlex.split(shown.replace("\\\n", "").splitlines()[-1])[1:]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("make chat RUN=tiny", ["python", "-m", "tools.chat_with_run", "--run", "tiny"]),
        ("make serve RUN=tiny", [*SERVE, "127.0.0.1"]),
        ("make serve RUN=tiny HOST=0.0.0.0", [*SERVE, "0.0.0.0"]),
        (
            "make push-model RUN=tiny TO=org/name",
            ["python", "-m", "tools.push_model", "--run", "tiny", "--to", "org/name"],
        ),
    ],
)
def test_a_command_of_the_page_runs_the_tool(words, command):
    assert re.search(rf"(    |`){re.escape(words)}(\n|`)", PAGE)
    assert typed(*words.split()[1:]) == command


def test_a_port_and_the_word_to_send_are_passed_on():
    assert typed("serve", "RUN=tiny", "PORT=8001")[-2:] == ["--port", "8001"]
    assert typed("push-model", "TO=a/b", "SEND=1", "PUBLIC=1")[-2:] == ["--public", "--send"]


def test_the_environment_opens_no_server_and_sends_nothing():
    own = {"HOST": "0.0.0.0", "PORT": "1", "SEND": "1", "PUBLIC": "1", "TO": "a/b", "RUN": "x"}
    assert typed("serve", **own) == [*SERVE, "127.0.0.1"]
    assert typed("push-model", "TO=a/b", **own)[-2:] == ["--to", "a/b"]
