"""Checkpoints of a training: which of them are whole, and who may write them.

A checkpoint is whole once it holds checkpoint.sha256, the SHA-256 of its files, and as long as they agree with it.
plugins/whole_checkpoints.py writes that file last, when every process has written its part.
"""

import fcntl
import json
import os
import shutil
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from pipeline.files.folder_manifest import agrees

MANIFEST = "checkpoint.sha256"
LOCK = "lock"
CODE = "code.json"  # beside the checkpoints: what the code meant that wrote them
FULL_BYTES = 16 << 20
PATIENCE_SECONDS = 5.0
POLL_SECONDS = 0.1


def is_whole(checkpoint: Path) -> bool:
    """Say whether every file of a checkpoint is as it was written."""
    return agrees(checkpoint / MANIFEST)


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the whole checkpoint with the most steps. Newer ones that are not whole are removed, and named."""
    found = [path for path in folder.glob("checkpoint-*") if path.is_dir()]
    for checkpoint in sorted(found, key=lambda path: int(path.name.split("-")[1]), reverse=True):
        if is_whole(checkpoint):
            return checkpoint
        print(f"{checkpoint}: not whole, so it is removed; an older one is looked for", flush=True)
        shutil.rmtree(checkpoint)
    return None


def set_aside_other_code(folder: Path, code: list[str]) -> None:
    """Move checkpoints of other code into a folder of their own, and note which code writes those to come.

    `code` is what code_of() says. Checkpoints without a note, which older versions wrote, are taken as they are.
    """
    note = folder / CODE
    before = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else code
    if before != code:
        changed = sorted({line.partition(" ")[0] for line in set(before) ^ set(code)})
        aside = folder / f"before-{time.strftime('%Y%m%dT%H%M%S')}"
        aside.mkdir()
        for path in [path for path in folder.iterdir() if path.name != LOCK and not path.name.startswith("before-")]:
            path.rename(aside / path.name)
        print(
            f"{folder}: {', '.join(changed)} changed since these checkpoints were written, so the training starts "
            f"again from the beginning; they are in {aside}. To go on from them: move them back, without {CODE}",
            flush=True,
        )
    note.write_text(json.dumps(code, indent=1), encoding="utf-8")


def require_room(folder: Path) -> None:
    """Stop with one line if the disk of a folder is full; what a failed write says of itself is seldom that."""
    if shutil.disk_usage(folder).free < FULL_BYTES:
        sys.exit(f"{folder}: No space left on device; make room, and run the same command again to go on")


def claim_folder(folder: Path) -> None:
    """Make a folder, and keep other trainings out of it as long as one of this training's processes lives.

    Each of them has to share the lock. Stops with one line if another training has it, or processes that
    a killed one left behind. Where the file system has no locks, nobody is kept out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LOCK
    with file.open("a+", encoding="utf-8") as lock:
        try:
            lock_soon(lock.fileno())
        except BlockingIOError:
            lock.seek(0)
            sys.exit(
                f"{folder}: a training is writing checkpoints here ({lock.read()}); wait for it, or end what is "
                f"left of it there: pkill -KILL -f {folder}"
            )
        except OSError as error:
            print(f"{file}: {error.strerror}; see yourself that no two trainings write there", flush=True)
        lock.truncate(0)
        lock.write(f"begun by process {os.getpid()} on {socket.gethostname()}")
        lock.flush()
        share(file, os.dup(lock.fileno()))


def lock_soon(lock: int) -> None:
    """Take a lock for this process alone; BlockingIOError if others keep it. A killed one may need a moment."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise
        time.sleep(POLL_SECONDS)


def share(file: Path, lock: int | None = None) -> int:
    """Share a lock until this process ends; return the open file, which is `lock` if that is given."""
    lock = os.open(file, os.O_RDWR) if lock is None else lock
    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return lock
