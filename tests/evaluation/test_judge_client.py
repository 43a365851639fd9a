"""judge_client.py: which addresses it takes, how often it tries, and how long it waits between."""

import pytest
from urllib3 import Retry

from pipeline.evaluation.judge_client import PATIENT_TRIES, TRIES, Judge, JudgeError, Key, check_url
from tests.support.judge_server import says, serve
from tests.support.processes import PATIENCE


@pytest.fixture
def server(monkeypatch):
    """Return a running server, to which no proxy leads."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as running:
        yield running


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """Return the seconds that are waited between tries, which take no time here."""
    waited: list[float] = []
    monkeypatch.setattr(Retry, "sleep", lambda retry, response=None: waited.append(retry.get_backoff_time()))
    return waited


def refusal(server, timeout: float = PATIENCE) -> str:
    """Return why a server did not answer a question."""
    with pytest.raises(JudgeError) as stopped:
        Judge(server.url, "judge", Key("OPENAI_API_KEY", None), timeout).ask([])
    return str(stopped.value)


def test_a_busy_server_is_given_more_and_more_time(server, waits):
    server.judge = lambda asked: (503, {}, {"error": "busy"})
    assert refusal(server) == f'{server.url}: status 503 {TRIES} times: {{"error": "busy"}}'
    assert waits == [0, 2, 4, 8, 16]


def test_a_status_that_no_waiting_changes_is_asked_for_once(server, waits):
    server.judge = lambda asked: (418, {}, {"error": "a teapot"})
    assert refusal(server) == f'{server.url}: status 418: {{"error": "a teapot"}}'
    assert (len(server.asked), waits) == (1, [])


def test_a_server_that_uses_up_the_time_is_asked_less_often(server, waits):
    server.judge = lambda asked: server.ends.wait(PATIENCE) and says("too late")
    assert f"no answer within 0.1 seconds, {PATIENT_TRIES} times" in refusal(server, timeout=0.1)
    assert len(waits) == PATIENT_TRIES - 1


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "ftp://127.0.0.1/v1", "http:///v1"])
def test_what_is_no_address_of_a_server_is_refused(url):
    with pytest.raises(JudgeError, match="not an address such as"):
        check_url(url)


@pytest.mark.parametrize("more", ["me@host/v1", ":secret@host/v1", "host/v1?key=secret"])
def test_what_is_more_than_an_address_is_refused_without_being_shown(more):
    with pytest.raises(JudgeError, match="holds more than an address") as refused:
        check_url(f"https://{more}")
    assert "secret" not in str(refused.value)


def test_a_slash_at_the_end_of_an_address_is_left_out():
    assert check_url("https://host:8000/v1/") == "https://host:8000/v1"
