"""A server that hands out folders as models of a hub, to the client that downloads them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789" * 4


class Handler(BaseHTTPRequestHandler):
    """Answers what a download asks: what commit a model has, what files, and their bytes."""

    def __init__(self, models: dict[str, Path], *arguments: object) -> None:
        self.models = models
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        """Say what a GET would send."""
        self.do_GET()

    def do_GET(self) -> None:
        """Send what the address names."""
        path = unquote(urlsplit(self.path).path)
        for name, folder in self.models.items():
            if path.startswith(f"/api/models/{name}/tree/"):
                files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
                self.reply(json.dumps([describe(file, folder) for file in files]).encode())
                return
            if path.startswith(f"/api/models/{name}"):
                self.reply(json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode())
                return
            if path.startswith(start := f"/{name}/resolve/{COMMIT}/"):
                self.reply((folder / path.removeprefix(start)).read_bytes())
                return
        self.send_error(404)

    def reply(self, body: bytes) -> None:
        """Send bytes, or what is said of them."""
        self.send_response(200)
        for key, value in {"Content-Length": str(len(body)), "ETag": '"1"', "X-Repo-Commit": COMMIT}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def describe(file: Path, folder: Path) -> dict[str, object]:
    """Return the name and size of a file, as a hub names them."""
    return {"type": "file", "path": str(file.relative_to(folder)), "size": file.stat().st_size, "oid": "1"}


@contextmanager
def serve_models(models: dict[str, Path]) -> Iterator[str]:
    """Serve folders by the names of models, and yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, models))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
