#!/usr/bin/env python3
"""Print the status of a job of PBS or Grid Engine, in the words of cluster-generic: running, success or failed.

    profiles/qsub/status.py pbs 1234.server

A server that does not answer says nothing about its jobs: they count as running.
"""

import re
import subprocess
import sys


def ask(*command: str) -> tuple[bool, str]:
    """Return whether a command succeeded, and all its output."""
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return said.returncode == 0, said.stdout


def pbs_status(job: str) -> str:
    """Ask PBS, which remembers a job that has ended where job_history_enable is set."""
    known, said = ask("qstat", "-x", "-f", job)
    if not known:
        return "failed" if "Unknown Job" in said else "running"
    if not re.search(r"job_state = [FX]", said):
        return "running"
    return "success" if re.search(r"Exit_status = 0$", said, re.MULTILINE) else "failed"


def sge_status(job: str) -> str:
    """Ask the queue, then the accounting, where a job that has ended comes seconds later."""
    queued, said = ask("qstat", "-j", job)
    if queued:
        return "failed" if re.search(r"^error reason", said, re.MULTILINE) else "running"
    if "do not exist" not in said:
        return "running"
    ended, said = ask("qacct", "-j", job)
    if not ended:
        return "running"
    well = re.search(r"^failed +0 *$", said, re.MULTILINE) and re.search(r"^exit_status +0 *$", said, re.MULTILINE)
    return "success" if well else "failed"


STATUS = {"pbs": pbs_status, "sge": sge_status}

if __name__ == "__main__":
    print(STATUS[sys.argv[1]](sys.argv[2]))
