"""Open a SwanLab run as a contract says; keep it private, and out of the way.

- ms-swift's own `--swanlab_mode` knows cloud and local only and overrules the environment; but its callback goes on
  with a run that is already open. A training that goes on after it was stopped has the same id, so that SwanLab has one
  curve for both.
- Host, user, folders, command line and console are not recorded; figures, settings, hardware and its use are.
- A server that cannot be reached costs some seconds at the start and at the end, and no figure: all are in the record
  on disk, which can be uploaded later (`make sync`). Unasked, SwanLab would wait for the server for ever at its end.
"""

import shutil
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import swanlab
from swanlab.proto.swanlab.record.v1.record_pb2 import Record
from swanlab.sdk.internal import run as run_module
from swanlab.sdk.internal.core_python.store import DataStoreWriter
from swanlab.sdk.internal.core_python.transport import Transport
from swanlab.sdk.internal.pkg import console
from swanlab.sdk.internal.pkg.client import session
from swanlab.sdk.internal.run.components.config import Config

from pipeline.files.hide_private import hide_in
from pipeline.launch.contract import Tracking

ANSWER_SECONDS = 5  # for one answer of the server
FINISH_SECONDS = 10  # for what is not uploaded yet when the training ends
UNTOLD = ("runtime", "git", "swanlab", "requirements", "conda")  # of the machine

write, set_value, log, finish = DataStoreWriter.write, Config._set_value, swanlab.log, Transport.finish


def write_private(store: DataStoreWriter, data: bytes) -> None:
    """Write a record without the folder it lies in (`swanlab sync` finds its files by name), and do so at once."""
    record = Record.FromString(data)
    if record.HasField("save"):
        record.save.source_path = Path(record.save.source_path).name
    write(store, record.SerializeToString())
    store.ensure_flushed()


def log_numbers(figures: dict[str, Any], *args: Any, **options: Any) -> Any:
    """Log what is a number; of each text that ms-swift logs, such as 5/100, SwanLab writes a traceback."""
    return log({name: value for name, value in figures.items() if not isinstance(value, str)}, *args, **options)


def bound() -> None:
    """Let SwanLab give up on a server that does not answer."""
    session.create.__defaults__ = (ANSWER_SECONDS, 0)  # timeout and retries; what was not uploaded is tried again
    run_module.run_with_progress = partial(run_module.run_with_progress, timeout=FINISH_SECONDS)
    Transport.finish = lambda transport, timeout=None: finish(transport, timeout=1)


def start(tracking: Tracking, mode: str, hardware: bool) -> None:
    """Open the run; `hardware` says whether SwanLab records the machine's, and its use."""
    untold = UNTOLD if hardware else (*UNTOLD, "hardware", "monitor")
    swanlab.init(
        mode=mode,
        log_dir=tracking.folder,
        project=tracking.project,
        name=tracking.name,
        id=tracking.id,
        resume="allow",
        settings=swanlab.Settings(
            interactive=False, probe=dict.fromkeys(untold, False), terminal={"proxy_type": "none"}
        ),
    )


def start_online(tracking: Tracking, hardware: bool) -> None:
    """Open the run in the cloud; offline, where that does not work."""
    folder = Path(tracking.folder)
    before = set(folder.glob("run-*"))
    try:
        start(tracking, "online", hardware)
    except Exception as error:  # whatever it is, it must not stop a training
        why = f"unreachable, or SWANLAB_API_KEY is missing or refused: {type(error).__name__}"
        later = f"recorded offline; upload it later: make sync RUN={folder.parent.name}"
        print(f"SwanLab's server {swanlab.Settings().api_host} cannot be used ({why}); {later}", flush=True)
        for unused in set(folder.glob("run-*")) - before:
            shutil.rmtree(unused)
        start(tracking, "offline", hardware)


def open_run(tracking: Tracking, hardware: bool = True) -> None:
    """Open the run as its mode asks."""
    if tracking.mode == "local" and not find_spec("swanboard"):
        raise SystemExit("tracking.mode is local, and the package swanboard is missing; run: make setup")
    DataStoreWriter.write, Config._set_value, swanlab.log = write_private, set_private, log_numbers
    console.c.soft_wrap = True  # a path in two lines is not known as a private one
    bound()
    if tracking.mode == "online":
        start_online(tracking, hardware)
    else:
        start(tracking, tracking.mode, hardware)


def set_private(config: Config, key: str, value: Any) -> None:
    """Set a value of the run's settings, with paths relative to the project."""
    set_value(config, key, hide_in(value))
