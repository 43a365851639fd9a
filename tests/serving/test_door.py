"""door.py: who is let in, and which body is read, over HTTP; test_serve_run.py asks the whole server."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException

from pipeline.serving.address import LOOPBACK, listen
from pipeline.serving.door import MOST_MIB, Door, read_body, write_refusal
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.training_environment
KEY = "schlüssel"
JSON = {"Content-Type": "application/json"}


@contextmanager
def standing(key: str | None, local: bool) -> Iterator[int]:
    """Serve a body as it was read, behind a door; yield the port."""
    app = FastAPI()

    @app.post("/body")
    async def read(request: Request) -> Any:
        return await read_body(request)

    @app.get("/health")
    async def live() -> None:
        return None

    app.exception_handler(HTTPException)(write_refusal)
    app.add_middleware(Door, key=key, local=local)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    with listen(LOOPBACK, 0) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def ask(port: int, path: str = "/body", body: Any = b"{}", **headers: str) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE)) as connection:
        connection.request("GET" if path == "/health" else "POST", path, body, JSON | headers)
        return read_answer(connection)


def read_answer(connection: http.client.HTTPConnection) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def refused(answer: tuple[int, Any]) -> tuple[int, str]:
    """Return the status of a refusal in OpenAI's form, and its words."""
    status, said = answer
    assert said["error"].keys() == {"message", "type", "param", "code"}
    return status, said["error"]["message"]


@pytest.fixture(scope="module")
def local() -> Iterator[int]:
    """Return the port of a server for this machine alone, without a key."""
    with standing(None, local=True) as port:
        yield port


@pytest.fixture(scope="module")
def for_all() -> Iterator[int]:
    """Return the port of a server for others too, with a key."""
    with standing(KEY, local=False) as port:
        yield port


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000"])
def test_a_server_for_this_machine_answers_to_its_own_names(local, host):
    assert ask(local, Host=host) == (200, {})


@pytest.mark.parametrize(
    "host",
    ["example.org", "example.org:8000", "localhost.example.org", "127.0.0.1.example.org", "", "::1", "192.0.2.1"],
)
def test_a_name_that_leads_here_from_elsewhere_is_refused(local, host):
    for path in ("/body", "/health"):
        status, said = refused(ask(local, path, Host=host))
        assert status == 421
        assert said == f"Host {host or '(none)'}: this server is for its own machine; ask it as 127.0.0.1"


def test_a_server_for_others_answers_to_any_name(for_all):
    assert ask(for_all, "/health", Host="example.org")[0] == 200


@pytest.mark.parametrize("key", [None, f"Bearer {KEY}x", "Bearer ", KEY, f"Basic {KEY}", "Bearer \u2028"])
def test_another_key_or_none_is_refused_as_openai_does(for_all, key):
    status, said = ask(for_all, **({"Authorization": key.encode()} if key else {}))
    assert (status, said["error"]["code"]) == (401, "invalid_api_key")
    assert KEY not in said["error"]["message"]


def test_the_key_lets_in(for_all):
    assert ask(for_all, Authorization=f"Bearer {KEY}".encode()) == (200, {})


def test_health_alone_needs_no_key(for_all):
    assert [ask(for_all, path)[0] for path in ("/health", "/body", "/", "/docs", "/health/")] == [
        200,
        401,
        401,
        401,
        401,
    ]


def test_a_body_of_the_most_bytes_is_read(local):
    assert ask(local, body=b"1".rjust(MOST_MIB << 20)) == (200, 1)


def test_a_larger_body_is_refused_before_it_comes(local):
    with closing(http.client.HTTPConnection(LOOPBACK, local, timeout=PATIENCE)) as connection:
        connection.putrequest("POST", "/body")
        for name, value in (JSON | {"Content-Length": str((MOST_MIB << 20) + 1)}).items():
            connection.putheader(name, value)
        connection.endheaders()
        said = refused(read_answer(connection))
    assert said == (413, "the request has more than 4 MiB; send a shorter one")


def test_a_larger_body_without_a_length_is_refused(local):
    assert refused(ask(local, body=iter([b"x" * (1 << 20)] * MOST_MIB + [b"x"])))[0] == 413


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"model": "a", "model": "b"}', "the key 'model' stands twice in an object"),
        (b'{"messages": [{"role": "user", "role": "system"}]}', "the key 'role' stands twice in an object"),
        (b'{"temperature": NaN}', "NaN is not a number of JSON"),
        (b'{"model": "\\ud800"}', "Half of a surrogate pair"),
        (b'{"model": "\xff"}', "byte 0xff"),
        (b"[" * 100_000, "Nested too deeply to be read."),
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
    ],
)
def test_json_that_can_be_read_in_two_ways_or_not_at_all_is_refused_by_name(local, body, said):
    status, words = refused(ask(local, body=body))
    assert status == 400
    assert words.startswith(f"the request is not plain JSON: {said}")
    assert "\n" not in words


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_which_any_page_could_send_is_refused(local, kind):
    status, said = refused(ask(local, **{"Content-Type": kind}))
    assert (status, said.endswith("send Content-Type: application/json")) == (415, True)


def test_an_address_that_the_server_does_not_have_is_named(local):
    assert refused(ask(local, "/v1/responses")) == (
        404,
        "/v1/responses: not an address of this server; ask /v1/chat/completions or /v1/models",
    )
