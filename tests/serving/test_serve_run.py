"""serve_run.py and chat_with_run.py: the published tiny run, served and asked over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline.files.json_lines import read_json_lines
from pipeline.models.render_chat import load_renderer
from tests.support import another_day
from tests.support.processes import PATIENCE, kill_all, members, wait_until, with_variable
from tests.support.project import ROOT

pytestmark = [pytest.mark.training_environment, pytest.mark.ci("a tuned model that answers other prompts than trained")]
KEY = "a-key-that-nobody-sees"
QUESTION = "步骤六：锁定全部接口"
SYSTEM = "Translate the user interface text from Chinese into English."


@dataclass
class Served:
    """A server that was started, and the lines that it printed first."""

    process: "subprocess.Popen[str]"
    lines: list[str]
    key: str | None

    @property
    def address(self) -> str:
        """The address that it says."""
        return next(line for line in self.lines if line.startswith("Serving")).partition(" at ")[2].partition(",")[0]

    def open(self, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> Any:
        """Return the open answer to a request."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        data = json.dumps(body).encode() if body else None
        return urllib.request.urlopen(urllib.request.Request(self.address + path, data, headers), timeout=PATIENCE)

    def ask(self, model: str = "tuned", **body: Any) -> dict[str, Any]:
        """Return the answer to a question, greedy."""
        with self.open("/v1/chat/completions", {"model": model, "temperature": 0} | body, self.key) as answer:
            return json.load(answer)

    def stream(self, **body: Any) -> dict[str, str]:
        """Return the text of each kind that the pieces of an answer bring."""
        said = {"content": "", "reasoning_content": ""}
        with self.open("/v1/chat/completions", {"model": "tuned", "temperature": 0, "stream": True} | body) as answer:
            for line in answer:
                if line.startswith(b"data: {"):
                    delta = json.loads(line[6:])["choices"][0]["delta"]
                    said = {name: text + (delta[name] or "") for name, text in said.items()}
        return said


@contextmanager
def serving(folder: Path, *options: str, **environment: str) -> Iterator[Served]:
    """Serve the run of a folder on a free port."""
    command = [sys.executable, "-m", "tools.serve_run", "--run", "tiny", "--port", "0", *options]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | environment,
        start_new_session=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            assert process.stdout
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.startswith("curl "):
                    break
            assert process.poll() is None, lines
            yield Served(process, lines, environment.get("SERVE_API_KEY"))
        finally:
            kill_all(lambda: members(process.pid))


@pytest.fixture(scope="module")
def tuned(template) -> Iterator[Served]:
    """Serve the tuned model, on another day."""
    with serving(template, **another_day.environment(40)) as served:
        yield served


@pytest.fixture(scope="module")
def pairs(template) -> list[dict[str, Any]]:
    """Return the held-out pairs."""
    return read_json_lines(template / "results/tiny/dpo/val.jsonl")


@pytest.fixture(scope="module")
def answers(tuned, pairs) -> list[dict[str, Any]]:
    """Return the server's answers to the prompts of all held-out pairs."""
    return [
        tuned.ask(
            messages=pair["messages"][:-1],
            chat_template_kwargs=pair.get("chat_template_kwargs", {}),
            return_details=True,
        )
        for pair in pairs
    ]


def test_every_prompt_has_the_tokens_of_training_on_another_day_too(answers, pairs, template):
    render = load_renderer(template / "results/tiny/model", {"date": "2026-01-01", "reasoning_effort": "medium"})
    rendered = [render(pair) for pair in pairs]
    trained = [ids[: next(at for at, label in enumerate(labels) if label >= 0)] for ids, labels in rendered]
    assert [answer["prompt_token_ids"] for answer in answers] == trained


def test_content_is_the_final_and_the_thinking_is_apart(answers, template):
    predictions = read_json_lines(template / "results/tiny/infer/predictions.jsonl")
    messages = [answer["choices"][0]["message"] for answer in answers]
    assert sum(row["analysis"] is not None for row in predictions) > 0
    assert [(message["reasoning_content"], message["content"]) for message in messages] == [
        (row["analysis"], row["final"]) for row in predictions
    ]


def test_a_stream_brings_the_same_in_pieces(tuned, answers, pairs):
    thinking = next(at for at, answer in enumerate(answers) if answer["choices"][0]["message"]["reasoning_content"])
    pair, whole = pairs[thinking], answers[thinking]["choices"][0]["message"]
    asked = {"messages": pair["messages"][:-1], "chat_template_kwargs": pair["chat_template_kwargs"]}
    assert tuned.stream(**asked) == {name: whole[name] for name in ("content", "reasoning_content")}


def test_the_curl_line_works_as_it_is_written(tuned):
    done = subprocess.run(tuned.lines[-1], shell=True, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert (answer["model"], answer["choices"][0]["message"]["content"]) == ("tuned", "Step 6: Lock all endpoints")


def test_the_curl_line_of_the_page_works_as_it_is_written(tuned):
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    (line,) = (line.strip() for line in page.splitlines() if line.startswith("    curl "))
    assert "http://127.0.0.1:8000/" in line
    here = line.replace("http://127.0.0.1:8000", tuned.address)
    done = subprocess.run(here, shell=True, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Step 6: Lock all endpoints"


def test_openai_s_names_mean_what_they_mean_there(tuned):
    said = {"role": "user", "content": QUESTION}
    swift = tuned.ask(
        messages=[{"role": "system", "content": SYSTEM}, said],
        chat_template_kwargs={"reasoning_effort": "low"},
        max_tokens=5,
        return_details=True,
    )
    openai = tuned.ask(
        messages=[{"role": "developer", "content": SYSTEM}, said],
        reasoning_effort="low",
        max_completion_tokens=5,
        user="somebody",
        seed=3,
        presence_penalty=0,
        return_details=True,
    )
    assert openai["prompt_token_ids"] == swift["prompt_token_ids"]
    assert openai["usage"] == swift["usage"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"logit_bias": {}}, "logit_bias: not known to this server; leave it out"),
        ({"images": ["/etc/hostname"]}, "images: not known to this server; leave it out"),
        ({"presence_penalty": 0.5}, "presence_penalty: without effect on this server; leave it out"),
        ({"temperature": 1, "seed": 3}, "seed: without effect on this server; leave it out, or set temperature to 0"),
        ({"stream": True, "n": 2}, "n: a stream has one answer; leave it out"),
        ({"tool_choice": "required"}, "tool_choice: the model decides on calls; set auto or none"),
        ({"reasoning_effort": "lots"}, "reasoning_effort: 'lots' is not one of low, medium, high"),
        # Streamed, ms-swift's own refusal of these would leave the server without answers for all that come after.
        ({"stream": True, "temperature": -1}, "temperature: -1 is not a number from 0 to 2"),
        ({"stream": True, "max_tokens": 0}, "max_tokens: 0 is not a whole number from 1 to 131072"),
        ({"model": "other"}, "`other` is not in the model_list: `['tuned']`."),
    ],
)
def test_what_the_server_cannot_do_is_refused_by_name(tuned, body, said):
    with pytest.raises(urllib.error.HTTPError) as refused:
        tuned.ask(**{"messages": [{"role": "user", "content": QUESTION}]} | body)
    assert refused.value.code == 400
    assert said in json.load(refused.value)["error"]["message"]


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        ({"Host": "example.org"}, b"{}", 421),
        ({}, b'{"model": "tuned", "model": "base"}', 400),
        ({"Content-Length": str(1 << 30)}, b"{}", 413),
    ],
    ids=["another name", "a key twice", "too large"],
)
def test_what_is_no_request_of_this_machine_s_is_refused_before_it_is_read(tuned, head, body, status):
    words = {"Content-Type": "application/json"} | head
    request = urllib.request.Request(f"{tuned.address}/v1/chat/completions", body, words)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE)
    with refused.value as answer:
        assert (answer.code, answer.read()[:11]) == (status, b'{"error":{"')


def test_the_server_has_no_other_address(tuned):
    for path in ("/docs", "/openapi.json", "/infer/", "/v1/completions"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            tuned.open(path)
        with refused.value as answer:
            assert answer.code == 404


@pytest.fixture(scope="module")
def both(template) -> Iterator[Served]:
    """Serve the model before DPO beside the tuned one, with a key."""
    with serving(template, "--with-base", SERVE_API_KEY=KEY) as served:
        yield served


def test_one_server_has_the_model_before_and_the_tuned_one_in_any_order(both):
    names = ["base", "tuned", "base", "tuned"]
    answers = [both.ask(name, messages=[{"role": "user", "content": QUESTION}]) for name in names]
    assert [answer["model"] for answer in answers] == names
    finals = [answer["choices"][0]["message"]["content"] for answer in answers]
    assert finals == ["Step 6: Locking all endpoints", "Step 6: Lock all endpoints"] * 2


def test_with_a_key_nobody_asks_without_it(both):
    for key in (None, "another"):
        for path, body in (("/v1/chat/completions", {"model": "tuned", "messages": []}), ("/v1/models", None)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                both.open(path, body, key)
            assert (refused.value.code, json.load(refused.value)["error"]["code"]) == (401, "invalid_api_key")


def test_health_needs_no_key_and_the_list_of_models_does(both):
    with both.open("/health") as answer:
        assert answer.status == 200
    with both.open("/v1/models", key=KEY) as answer:
        assert [model["id"] for model in json.load(answer)["data"]] == ["base", "tuned"]


def test_the_key_is_neither_printed_nor_in_the_list_of_processes(both):
    lists = [(Path("/proc") / str(pid) / "cmdline").read_text() for pid in members(both.process.pid)]
    assert lists and not any(KEY in words for words in [*lists, *both.lines])
    done = subprocess.run(both.lines[-1], shell=True, env=os.environ | {"SERVE_API_KEY": KEY}, capture_output=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Step 6: Lock all endpoints"


def test_ctrl_c_ends_it_with_one_line_also_with_a_request_that_is_open(both):
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(both.address).port)) as connection:
        connection.sendall(
            f"{head}Content-Length: 9\r\nAuthorization: Bearer {KEY}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # it waits for the rest
        os.killpg(both.process.pid, signal.SIGINT)
        assert both.process.communicate(timeout=PATIENCE) == ("\nstopped by you\n", None)
    assert both.process.returncode == 0  # or make would call it an error
    assert members(both.process.pid) == []


def test_a_chat_shows_both_answers_and_leaves_no_server(template):
    talk = subprocess.run(
        [sys.executable, "-m", "tools.chat_with_run", "--run", "tiny"],
        cwd=template,
        input=f"{QUESTION}\n/effort low\n/quit\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (talk.returncode, talk.stderr) == (0, "")
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    shown = page.partition(f"    > {QUESTION}\n")[2].partition("\n\n")[0]
    assert shown.replace("    ", "") == "base: Step 6: Locking all endpoints\ntuned: Step 6: Lock all endpoints"
    assert f"> {QUESTION}\n{shown.replace('    ', '')}\n" in talk.stdout
    assert "effort: low" in talk.stdout


def test_ctrl_c_ends_a_chat_with_one_line(template):
    command = [sys.executable, "-m", "tools.chat_with_run", "--run", "tiny"]
    with subprocess.Popen(
        command, cwd=template, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as chat:
        assert chat.stdout
        assert chat.stdout.readline() == "Loading results/tiny/model …\n"
        chat.send_signal(signal.SIGINT)
        assert chat.communicate(timeout=PATIENCE) == ("\nstopped by you\n", None)
    assert chat.returncode == 0


def test_a_chat_that_is_killed_leaves_no_server(template):
    mark = {"CHAT_OF_A_TEST": f"{os.getpid()}"}
    command = [sys.executable, "-m", "tools.chat_with_run", "--run", "tiny"]
    with subprocess.Popen(
        command, cwd=template, env=os.environ | mark, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as chat:
        assert chat.stdout
        assert chat.stdout.readline() == "Loading results/tiny/model …\n"
        chat.kill()
    assert wait_until(lambda: not with_variable(f"CHAT_OF_A_TEST={os.getpid()}"))
