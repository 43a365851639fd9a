"""A real server on loopback that speaks chat completions, and judges as a test tells it to."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

PART = re.compile(r"=== (ANSWER [AB]|REQUEST) (\w+) ===\n(.*?)\n=== END OF \1 \2 ===", re.DOTALL)


class Asked(NamedTuple):
    """A request as the server saw it."""

    path: str
    headers: dict[str, str]
    body: dict

    @property
    def parts(self) -> dict[str, str]:
        """Return the text between the marks."""
        return {name: text for name, _, text in PART.findall(self.body["messages"][1]["content"])}


Reply = tuple[int, dict[str, str], dict]


def says(text: str | None) -> Reply:
    """Return a judge's answer."""
    return 200, {}, {"choices": [{"message": {"role": "assistant", "content": text}}]}


def prefer(good: str) -> Callable[[Asked], Reply]:
    """Return a judge that prefers the answer with a word in it."""

    def judge(asked: Asked) -> Reply:
        wins = [name for name in "AB" if good in asked.parts[f"ANSWER {name}"]]
        return says(f"Because of that.\nVerdict: {wins[0] if len(wins) == 1 else 'tie'}")

    return judge


class Server:
    """The server: `asked` are the requests so far, and `judge` answers them."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.judge: Callable[[Asked], Reply] = prefer("good")
        self.ends = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            """Hands requests on."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Answer a request."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = Asked(self.path, dict(self.headers), body)
                server.asked.append(asked)
                status, headers, said = server.judge(asked)
                text = json.dumps(said).encode()
                try:
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(text))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(text)
                except (BrokenPipeError, ConnectionResetError):  # who asked has given up, or was killed
                    self.close_connection = True

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


@contextmanager
def serve() -> Iterator[Server]:
    """Run a server until the end of a test."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ends.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()
