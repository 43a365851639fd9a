"""What people type: make takes an overlay by any of its names, and refuses what it does not know."""

import re
import shlex

import pytest

from tests.support.project import ROOT, run_command

PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
SERVE = ["python", "-m", "tools.serve_run", "--run=tiny"]


def say(*words: str) -> tuple[int, list[str], list[str]]:
    """Return how make ends, what it would run, and what it says of a mistake."""
    done = run_command("make", "--dry-run", "--no-print-directory", *words)
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


@pytest.mark.parametrize(
    "name",
    [
        "tiny-sft",
        "tiny-sft.yaml",
        "experiments/tiny-sft",
        "experiments/tiny-sft.yaml",
        f"{ROOT}/experiments/tiny-sft.yaml",
    ],
)
def test_an_overlay_is_found_by_its_name_or_its_path(name):
    commands = say("run", f"EXPERIMENT={name}")[1]
    overlay = name if name.startswith("/") else "experiments/tiny-sft.yaml"
    assert commands[-2:] == [
        f"snakemake --cores all --configfile {overlay}",
        f"python -m tools.show_results {overlay}",
    ]


def test_make_new_hands_over_the_pairs_and_the_gpus():
    words = ["EXPERIMENT=mine", "DATA=my pairs.jsonl", "GPU=h20", "GPUS=4"]
    command = "python -m tools.write_experiment --gpu='h20' --gpus='4' -- 'mine' 'my pairs.jsonl'"
    assert say("new", *words)[1][-1] == command


def test_make_alone_runs_the_default():
    assert say()[1][-2:] == ["snakemake --cores all ", "python -m tools.show_results "]


def test_make_with_an_overlay_does_not_ignore_it():
    assert say("EXPERIMENT=tiny-sft")[1][-2:] == say("run", "EXPERIMENT=tiny-sft")[1][-2:]


@pytest.mark.parametrize("target", ["run", "plan", "exp"])
def test_an_overlay_that_is_not_there_is_refused_before_anything_is_installed(target):
    done = run_command("make", target, "EXPERIMENT=mine")
    assert done.stdout == ""
    assert done.stderr.startswith("experiments/mine.yaml: no such file; there are: ")


def test_a_name_may_have_a_dot():
    assert run_command("make", "run", "EXPERIMENT=mine.v2").stderr.startswith("experiments/mine.v2.yaml: no such file")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["EXPERIMENTS=mine"], "EXPERIMENTS: not known; make takes CORES EXPERIMENT "),
        (["run", "RUNS=tiny"], "RUNS: not known; "),
        (["train"], "train: not a target; make help lists them"),
        (
            ["new", "EXPERIMENT=mine"],
            "EXPERIMENT or DATA is missing; such as: make new EXPERIMENT=mine DATA=my_pairs.jsonl",
        ),
        (["exp"], "EXPERIMENT is missing; such as: make exp EXPERIMENT=tiny-sft"),
    ],
)
def test_what_make_does_not_know_is_refused(words, said):
    done = run_command("make", *words)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[0]


def typed(*words: str, **environment: str) -> list[str]:
    """Return the words of the last command that make would run, without the environment's."""
    shown = run_command("make", "--dry-run", "--no-print-directory", *words, **environment).stdout
    return shlex.split(shown.replace("\\\n", "").splitlines()[-1])[1:]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("make chat RUN=tiny", ["python", "-m", "tools.chat_with_run", "--run=tiny"]),
        ("make serve RUN=tiny", [*SERVE, "--host=127.0.0.1"]),
        ("make serve RUN=tiny HOST=0.0.0.0", [*SERVE, "--host=0.0.0.0"]),
        (
            "make push-model RUN=tiny TO=org/name",
            ["python", "-m", "tools.push_model", "--run=tiny", "--to=org/name"],
        ),
    ],
)
def test_a_command_of_the_page_runs_the_tool(words, command):
    assert re.search(rf"(    |`){re.escape(words)}(\n|`)", PAGE)
    assert typed(*words.split()[1:]) == command


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["plan", "EXPERIMENT=a\"b'c"], "experiments/a\"b'c.yaml: no such file; there are: "),
        (["new", "EXPERIMENT=-x", "DATA=p.jsonl"], "experiments/-x.yaml: run: '-x' does not have the form "),
        (["new", 'EXPERIMENT=a"b', "DATA=p.jsonl"], "experiments/a\"b.yaml: run: 'a\"b' does not have the form "),
        (["new", "EXPERIMENT=mine", "DATA=p.jsonl", "GPU=RTX 5095"], "GPU=RTX 5095: not the name of one model; "),
        (["new", "EXPERIMENT=mine", "DATA=p.jsonl", "GPU=h20", "GPUS=zwei"], "GPUS=zwei: not a number of GPUs; "),
        (["serve", "PORT=abc"], "PORT=abc: not a port; name one from 1024 to 65535"),
        (["board", "PORT=-1"], "PORT=-1: not a port; name one from 1024 to 65535"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_odd_value_is_refused_in_one_line_of_the_projects_own(words, line):
    done = run_command("make", *words)
    said, made = done.stderr.splitlines()
    assert done.returncode and said.startswith(line) and made.startswith("make: ***")


def test_a_port_and_the_word_to_send_are_passed_on():
    assert typed("serve", "RUN=tiny", "PORT=8001")[-1] == "--port=8001"
    assert typed("push-model", "TO=a/b", "SEND=1", "PUBLIC=1")[-2:] == ["--public", "--send"]


def test_the_environment_opens_no_server_and_sends_nothing():
    own = {"HOST": "0.0.0.0", "PORT": "1", "SEND": "1", "PUBLIC": "1", "TO": "a/b", "RUN": "x"}
    assert typed("serve", **own) == [*SERVE, "--host=127.0.0.1"]
    assert typed("push-model", "TO=a/b", **own)[-1] == "--to=a/b"
