"""A `vllm serve` of one model on loopback, for as long as it is measured, and what it is asked over HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.serving.address import BASE, LOOPBACK, TUNED

PROMPT = {"date": "2026-01-01", "reasoning_effort": "medium"}  # of the runs that are served
with socket.create_server((LOOPBACK, 0)) as free:
    PORT = free.getsockname()[1]
PATIENCE = 400.0  # seconds until it answers; compiling takes a minute or two
POLL = 1.0


def serve_command(model: Path, flags: list[str]) -> list[str]:
    """Return the command of the server, `vllm serve` by its module."""
    name = BASE if "--enable-lora" in flags else TUNED
    words = ["serve", str(model), "--served-model-name", name, "--host", LOOPBACK, "--port", str(PORT)]
    return [sys.executable, "-m", "vllm.entrypoints.cli.main", *words, *flags]


@contextmanager
def serving(model: Path, flags: list[str], log: Path) -> Iterator[float]:
    """Serve a model, and yield the seconds until it answered; stop with one line if it does not."""
    began = time.monotonic()
    variables = {"VLLM_SYSTEM_START_DATE": PROMPT["date"], "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as said:
        server = subprocess.Popen(
            serve_command(model, flags), env=os.environ | variables, stdout=said, stderr=said, start_new_session=True
        )
    try:
        while not is_ready():
            if server.poll() is not None or time.monotonic() - began > PATIENCE:
                sys.exit(f"{log}: vLLM does not answer; its last words: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(POLL)
        yield round(time.monotonic() - began, 1)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        with suppress(subprocess.TimeoutExpired):
            server.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 9)


def is_ready() -> bool:
    """Say whether the server answers."""
    with suppress(OSError), urllib.request.urlopen(f"http://{LOOPBACK}:{PORT}/health", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def ask(path: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request; stop with one line if the server refuses it."""
    body = json.dumps(request).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://{LOOPBACK}:{PORT}{path}", body, headers), timeout=300
        ) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{path}: {error.code}: {error.read().decode(errors='replace')[:500]}")
    return found


def replace_rows(path: Path, rows: list[dict[str, Any]], key: str) -> None:
    """Write rows into a file of results, in place of those that have the same value of a key."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    new = {row[key] for row in rows}
    rows = [row for row in kept if row[key] not in new] + rows
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
