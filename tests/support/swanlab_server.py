"""A stand-in for SwanLab's server: as much of it as an upload needs, and ways to fail."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER = {"name": "Test", "username": "test"}
PROJECT = {
    **{"cuid": "project", "name": "p", "path": "/@test/p", "version": 1},
    **{"group": {"username": "test"}, "_count": {"experiments": 0}},
}


class Server:
    """What was sent to a server, and how it answers from now on."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []  # path and body of each request
        self.answers = "well"  # or: refuses, hangs
        self.ended = threading.Event()
        self.address = ""

    def bodies(self) -> str:
        """Return all that was sent, as one text."""
        return "\n".join(f"{path} {body.decode('utf-8', 'replace')}" for path, body in self.sent)


def answer(path: str) -> tuple[int, Any]:
    """Return status and JSON for a request."""
    if path.endswith("/login/api_key"):
        return 200, {"sid": "session", "expiredAt": "2999-01-01T00:00:00.000Z", "userInfo": USER}
    if path.endswith("/experiment"):
        return 201, {"cuid": "experiment", "slug": "slug", "name": "n"}
    return 200, PROJECT


@contextmanager
def swanlab_server() -> Iterator[Server]:
    """Serve on a free port of this machine."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if state.answers == "hangs":
                state.ended.wait()
                return
            state.sent.append((self.path, body))
            status, value = (500, {}) if state.answers == "refuses" else answer(self.path)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = respond

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.ended.set()
            server.shutdown()
