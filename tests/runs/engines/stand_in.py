#!/usr/bin/env python3
"""Stands in for the commands of LSF and PBS, which cannot be had here: links give it their names.

It notes what each was called with, and runs what is submitted on this machine, unless told to refuse it.
Everything lies in the folder that STAND_IN names.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["STAND_IN"])


def submit(*command: str, **environment: str) -> str:
    """Run a command in the background, and return its number; its exit status comes into a file of that name."""
    if (FOLDER / "refuse").exists():
        sys.exit("refused")
    number = str(1 + len(list(FOLDER.glob("*.log"))))
    with (FOLDER / f"{number}.log").open("w") as log:
        note_status = ["sh", "-c", '"$@"; echo $? >"$0"', str(FOLDER / number), *command]
        subprocess.Popen(note_status, stdout=log, stderr=log, start_new_session=True, env=os.environ | environment)
    return number


def exit_status(number: str) -> str:
    """Return the exit status of a job that has ended; nothing, if it runs."""
    file = FOLDER / number
    return file.read_text().strip() if file.exists() else ""


def bsub(arguments: list[str]) -> str:
    return f"Job <{submit('sh', '-c', arguments[-1])}> is submitted to queue <gpu>."


def bjobs(_: list[str]) -> str:
    words = {"": "RUN", "0": "DONE"}
    numbers = (log.stem for log in FOLDER.glob("*.log"))
    return "\n".join(f"{number} {words.get(exit_status(number), 'EXIT')}" for number in numbers)


def badmin(_: list[str]) -> str:
    return f"MBD configuration:\n LSB_SHAREDIR = {FOLDER}\n LSF_CONFDIR = {FOLDER}"


def lsclusters(_: list[str]) -> str:
    settings = FOLDER / "lsbatch" / "test" / "configdir" / "lsb.params"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("DEFAULT_QUEUE = normal\n")
    return "CLUSTER_NAME STATUS\ntest ok"


def qsub(arguments: list[str]) -> str:
    values = [arguments[at + 1] for at, word in enumerate(arguments) if word == "-v"]
    variables = dict(variable.split("=") for value in values for variable in value.split(","))
    return submit("sh", arguments[-1], **variables) + ".server"


def qstat(arguments: list[str]) -> str:
    number = arguments[-1].removesuffix(".server")
    if not (FOLDER / f"{number}.log").exists():
        sys.exit(f"qstat: Unknown Job Id {arguments[-1]}")
    status = exit_status(number)
    return f"Job Id: {arguments[-1]}\n    job_state = F\n    Exit_status = {status}" if status else "    job_state = R"


COMMANDS = {command.__name__: command for command in (bsub, bjobs, badmin, lsclusters, qsub, qstat)}

if __name__ == "__main__":
    name = Path(sys.argv[0]).name
    with (FOLDER / "calls").open("a") as calls:
        calls.write(json.dumps([name, *sys.argv[1:]]) + "\n")
    print(COMMANDS[name](sys.argv[1:]))
