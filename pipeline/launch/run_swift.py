"""Run a `swift` command as every stage of this project runs it."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path

from pipeline.files.hide_private import hide_private
from pipeline.launch.exit_status import describe_status

ROOT = Path(__file__).parents[2]

Prompt = Mapping[str, str]  # the settings `prompt`: date (YYYY-MM-DD) and reasoning_effort

# ms-swift looks for newer models and templates on a hub, and waits for answers that never come offline.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
# Where one is set, ms-swift logs in to its hub at every start, and does not start where the hub cannot be reached.
NOT_PASSED_ON = ("MODELSCOPE_API_TOKEN", "HF_TOKEN")
# Sums in another order give other bytes, so the number of threads must not depend on the machine.
CPU_THREADS = 2

ERROR_LINE = re.compile(r"^(?:\[rank\d+\]: )?([\w.]*(?:Error|Exception)(?::.*)?)$")
# A process that dies takes the connections of the others with it, and what they say of that hides its own error.
CONSEQUENCE = re.compile(r"Connection (?:closed|reset) by peer|remote process exited|ChildFailedError")
# torchrun's report of a process that had no time to say anything: its rank stands two lines above its signal.
RANK_LINE = re.compile(r"^\s*rank\s*: (\d+)")
SIGNAL_LINE = re.compile(r"^\s*traceback\s*: Signal \d+ \((SIG\w+)\) received by PID")
# Above the process that was the first to fail; the others in the report may have been ended by torchrun.
ROOT_CAUSE_LINE = re.compile(r"^Root Cause")


def prompt_variables(prompt: Prompt) -> dict[str, str]:
    """Return the variables by which plugins/harmony.py knows what goes into every prompt."""
    return {"PROMPT_DATE": prompt["date"], "REASONING_EFFORT": prompt["reasoning_effort"]}


def swift_environment(prompt: Prompt, cpu_threads: int, extra: dict[str, str]) -> dict[str, str]:
    """Return the variables that a swift command adds to the environment.

    `cpu_threads` is the number of threads of each process, or 0 where GPUs do the work and the default is right.
    """
    # Snakemake sets the second to a rule's threads, and torch takes the larger of the two, which changes sums.
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    threads = dict.fromkeys(names, str(cpu_threads)) | {"DS_ACCELERATOR": "cpu"} if cpu_threads else {}
    return OFFLINE | threads | prompt_variables(prompt) | extra


class Cause:
    """What a command that failed said of the reason, line by line."""

    def __init__(self) -> None:
        self.error = ""
        self.consequence = ""
        self.rank = ""
        self.killed = ""
        self.is_first = False

    def read(self, line: str) -> None:
        """Take a line of the command's output."""
        if match := ERROR_LINE.match(line):
            if CONSEQUENCE.search(line):
                self.consequence = match[1].strip()
            else:
                self.error = match[1].strip()
        elif ROOT_CAUSE_LINE.match(line):
            self.is_first = True
        elif match := RANK_LINE.match(line):
            self.rank = match[1]
        elif (match := SIGNAL_LINE.match(line)) and self.is_first:
            self.is_first = False
            if match[1] != "SIGTERM":  # of another node's end
                self.killed = self.killed or f"rank {self.rank} was ended by {match[1]}"

    def __str__(self) -> str:
        """Return the reason in words: the last error that is not of another's end, or the first process killed."""
        return self.error or self.killed or self.consequence


def keep(line: str, file: RawIOBase) -> None:
    """Add a line to a file, if the disk has room for it: what runs must not end for that."""
    with suppress(OSError):
        file.write(line.encode())


def start_swift(
    command: Sequence[str], environment: Mapping[str, str], open_files: Sequence[int]
) -> "subprocess.Popen[str]":
    """Start a command of swift, and pipe its output."""
    # The plugins import from pipeline/, and torchrun has a plugin of its own.
    places = [str(ROOT), str(ROOT / "plugins" / "torchrun"), os.environ.get("PYTHONPATH")]
    modules = {"PYTHONPATH": os.pathsep.join(filter(None, places))}
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=inherited | modules | dict(environment),
        pass_fds=open_files,
    )


def run_swift(
    arguments: list[str],
    environment: Mapping[str, str],
    launcher: Sequence[str] = (),
    open_files: Sequence[int] = (),
    attempts: Path = Path(os.devnull),
) -> None:
    """Run `swift` with these arguments, passing its output on, and stop with one line if it fails.

    Where on this machine the project lies is left out of the output.

    `launcher` is a command that runs it. `open_files` stay open in its processes, until the last of them ends.
    `attempts` is a file to which the output is added, too, after the time at which it began.
    """
    command = [*launcher, "swift", *arguments]
    shown = " ".join([*(f"{k}={v}" for k, v in environment.items()), *command])
    print(shown, flush=True)
    cause = Cause()
    with attempts.open("ab", buffering=0) as kept, start_swift(command, environment, open_files) as process:
        assert process.stdout
        keep(f"{datetime.now(UTC).isoformat(timespec='seconds')} {shown}\n", kept)
        for line in map(hide_private, process.stdout):
            sys.stdout.write(line)
            sys.stdout.flush()
            keep(line, kept)
            cause.read(line)
    if process.returncode:
        reason = f": {cause}" if str(cause) else ""
        sys.exit(f"swift {arguments[0]} {describe_status(process.returncode)}{reason}")
