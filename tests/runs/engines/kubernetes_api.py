"""Stands in for Kubernetes' API, which cannot be had here: notes the jobs that are made, and runs them on this machine.

A pod is a folder of its own, in which the container's command runs.
"""

import json
import os
import subprocess
import threading
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml


class Handler(BaseHTTPRequestHandler):
    """Answers what the plugin asks: secrets, jobs, their state, their pods."""

    server: "KubernetesApi"

    def do_POST(self) -> None:
        """Make what is asked for; of jobs, run the command."""
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/jobs"):
            self.server.take(made)
        self.answer(made)

    def do_GET(self) -> None:
        """Say how a job stands, or that it has no pods left."""
        name = self.path.split("/jobs/")[-1].removesuffix("/status")
        self.answer({"items": []} if "/pods" in self.path else {"status": self.server.states.get(name, {})})

    def do_DELETE(self) -> None:
        """Forget nothing: a test looks at it afterwards."""
        self.answer({})

    def answer(self, content: dict[str, Any]) -> None:
        """Send a body of JSON."""
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class KubernetesApi(ThreadingHTTPServer):
    """A context that answers on the loopback until its end."""

    def __init__(self, folder: Path, path: str, *, refuse: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        folder.mkdir()
        self.folder, self.path, self.refuse = folder, path, refuse
        self.jobs: list[dict[str, Any]] = []
        self.states: dict[str, dict[str, int]] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @cached_property
    def kubeconfig(self) -> str:
        """Write what a client needs to find this, and return the file's name."""
        file = self.folder / "kubeconfig"
        address = f"http://127.0.0.1:{self.server_port}"
        named = {"name": "here"}
        settings = {
            "current-context": "here",
            "clusters": [named | {"cluster": {"server": address}}],
            "users": [named | {"user": {}}],
            "contexts": [named | {"context": {"cluster": "here", "user": "here"}}],
        }
        file.write_text(yaml.safe_dump(settings))
        return str(file)

    def take(self, job: dict[str, Any]) -> None:
        """Note a job; run it, or say that it failed."""
        self.jobs.append(job)
        name = job["metadata"]["name"]
        if self.refuse:
            self.states[name] = {"failed": 1}
        else:
            threading.Thread(target=self.run, args=(name, container(job)), daemon=True).start()

    def run(self, name: str, pod: dict[str, Any]) -> None:
        """Run a container's command in a folder that is empty, as its working directory is in a pod."""
        (self.folder / name).mkdir()
        environment = {"PATH": self.path, "HOME": os.environ["HOME"]}
        with (self.folder / f"{name}.log").open("wb") as log:
            command = [*pod["command"], *pod["args"]]
            ended = subprocess.run(
                command, cwd=self.folder / name, env=environment, stdout=log, stderr=log, check=False
            )
        self.states[name] = {"failed": 1} if ended.returncode else {"succeeded": 1}


def container(job: dict[str, Any]) -> dict[str, Any]:
    """Return the one container of a job's pod."""
    (pod,) = job["spec"]["template"]["spec"]["containers"]
    return dict(pod)
