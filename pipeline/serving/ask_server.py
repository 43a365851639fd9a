"""Ask a server that speaks OpenAI's protocol, and take its answer as it comes."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

ANALYSIS, FINAL, END = "analysis", "final", "end"


def stream_answer(address: str, key: str, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the pieces of an answer, each with its channel, and at last its finish reason.

    Raises ConnectionError with the server's words if it refuses the request, or stops before the end.
    """
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(request | {"stream": True}), headers)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise ConnectionError(response.read().decode(errors="replace"))
        for line in response:
            if line.startswith(b"data: {"):
                yield from read_chunk(json.loads(line.removeprefix(b"data: ")))
    except http.client.HTTPException as error:
        raise ConnectionError("the server stopped in the middle of an answer") from error
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
