"""Ask a server that speaks OpenAI's protocol, and take its answer as it comes."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

ANALYSIS, FINAL, END = "analysis", "final", "end"
CUT = "it closed the connection in the middle of an answer"


class RefusedRequest(Exception):
    """The server does not answer a request: its words."""


def stream_answer(address: str, key: str, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the pieces of an answer, each with its channel, and at last its finish reason.

    Raises RefusedRequest if the server refuses the request, and ConnectionError if it stops before the end.
    """
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(request | {"stream": True}), headers)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise RefusedRequest(read_refusal(response.read()))
        for line in response:
            if line == b"data: [DONE]\n":
                return
            if line.startswith(b"data: {") and line.endswith(b"\n"):
                yield from read_chunk(json.loads(line.removeprefix(b"data: ")))
        raise ConnectionError(CUT)  # http.client takes a connection that closes for the end
    except (http.client.HTTPException, ConnectionResetError) as error:
        raise ConnectionError(CUT) from error
    finally:
        connection.close()


def read_chunk(chunk: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the texts of a chunk of an answer, each with its channel, and its finish reason."""
    (choice,) = chunk["choices"]
    for channel, name in ((ANALYSIS, "reasoning_content"), (FINAL, "content")):
        if text := choice["delta"].get(name):
            yield channel, text
    if reason := choice.get("finish_reason"):
        yield END, reason


def read_refusal(body: bytes) -> str:
    """Return the words of a refusal in OpenAI's form; those of another form as they are."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return body.decode(errors="replace")
