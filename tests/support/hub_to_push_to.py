"""A model hub on this machine: as much of Hugging Face's protocol as an upload needs."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

COMMIT = "0123456789" * 4


@dataclass
class Hub:
    """The token of a hub, its models (private ones: true), and the files of the last one, with their blobs."""

    token: str
    address: str = ""
    private: dict[str, bool] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of huggingface_hub: make a model, what goes through LFS, its bytes, and the commit."""

    def __init__(self, hub: Hub, *arguments: Any) -> None:
        self.hub = hub
        super().__init__(*arguments)

    def handle_request(self) -> None:
        """Answer a request of any kind."""
        body = self.read_body()
        path = urlsplit(self.path).path
        if not path.startswith("/blob/") and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self.reply(401, {"error": "Invalid username or password."})
        else:
            self.reply(*self.answer(path, body))

    do_GET = do_POST = do_PUT = handle_request

    def read_body(self) -> bytes:
        """Return the body of a request, also of one that comes in pieces."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status of a request and its answer."""
        hub = self.hub
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if name in hub.private:
                return 409, {"error": "You already created this model repo", "url": f"{hub.address}/{name}"}
            hub.private[name] = asked["visibility"] == "private"
            return 200, {"url": f"{hub.address}/{name}", "id": name}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path.startswith("/blob/"):
            hub.blobs[path.removeprefix("/blob/")] = body
            return 200, {}
        if path.endswith("/preupload/main"):
            return 200, {"files": [describe(file["path"]) for file in json.loads(body)["files"]]}
        if path.endswith("/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": [self.place(one) for one in json.loads(body)["objects"]]}
        if path.endswith("/commit/main"):
            self.commit(body)
            name = path.removeprefix("/api/models/").removesuffix("/commit/main")
            return 200, {"success": True, "commitOid": COMMIT, "commitUrl": f"{hub.address}/{name}/commit/{COMMIT}"}
        name = path.removeprefix("/api/models/")
        return 200, {"id": name, "private": hub.private[name], "sha": COMMIT, "siblings": []}

    def place(self, blob: dict[str, Any]) -> dict[str, Any]:
        """Return where the bytes of a large file go."""
        return blob | {"actions": {"upload": {"href": f"{self.hub.address}/blob/{blob['oid']}"}}}

    def commit(self, body: bytes) -> None:
        """Take the files of a commit."""
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.hub.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.hub.files[value["path"]] = self.hub.blobs[value["oid"]]

    def reply(self, status: int, said: Any) -> None:
        """Send an answer."""
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def describe(path: str) -> dict[str, Any]:
    """Return how a file is sent: weights apart, as large files are."""
    large = path.endswith(".safetensors")
    return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": None}


@contextmanager
def serve_hub(token: str) -> Iterator[Hub]:
    """Serve a hub without models, and yield it."""
    hub = Hub(token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, hub))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
