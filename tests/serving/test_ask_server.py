"""ask_server.py: an answer as it comes, and one that breaks off, from a server that says what a test sets."""

import json
import socket
import threading
from typing import Any

import pytest

from pipeline.serving.address import LOOPBACK
from pipeline.serving.ask_server import CUT, RefusedRequest, stream_answer

OPEN = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def piece(reason: str | None = None, **delta: str) -> str:
    """Return a piece of an answer, as servers write it."""
    return f"data: {json.dumps({'choices': [{'delta': delta, 'finish_reason': reason}]})}\n\n"


def chunk(text: str) -> str:
    """Return a text as a chunk of HTTP."""
    return f"{len(text):x}\r\n{text}\r\n"


def ask(answer: str) -> list[Any]:
    """Return the pieces of an answer, and at last the error with which it broke off."""
    with socket.create_server((LOOPBACK, 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer.encode())
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):  # what is not read would reset the connection
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        said: list[Any] = []
        try:
            said.extend(stream_answer(f"http://{LOOPBACK}:{listening.getsockname()[1]}", "key", {}))
        except (ConnectionError, RefusedRequest) as error:
            said.append((type(error), str(error)))
        thread.join()
        return said


def test_a_whole_answer_ends_with_its_reason():
    whole = OPEN + piece(reasoning_content="Hm") + piece(content="Save") + piece("stop") + "data: [DONE]\n\n"
    assert ask(whole) == [("analysis", "Hm"), ("final", "Save"), ("end", "stop")]


@pytest.mark.parametrize(
    "answer",
    [
        OPEN + piece(content="Save"),
        OPEN + piece(content="Save") + piece(content="all")[:20],
        OPEN + piece(content="Save") + "data: [DONE]",
        CHUNKED + chunk(piece(content="Save")),
        CHUNKED + chunk(piece(content="Save")) + "40\r\ndata: {",
        CHUNKED + chunk(piece(content="Save")) + "0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + piece(content="Save"),
        "",
    ],
    ids=["between pieces", "in a piece", "in the end", "between chunks", "in a chunk", "early", "short", "at once"],
)
def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(answer):
    *pieces, end = ask(answer)
    assert pieces == ([("final", "Save")] if answer else [])
    assert end == (ConnectionError, CUT)


@pytest.mark.parametrize(
    ("body", "said"),
    [('{"error": {"message": "no"}}', "no"), ("no", "no"), ("[]", "[]"), ('{"error": 1}', '{"error": 1}')],
)
def test_a_refusal_is_the_server_s_own_words(body, said):
    assert ask(f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n{body}") == [(RefusedRequest, said)]
