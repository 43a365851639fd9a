#!/usr/bin/env python3
"""Submit a job of Snakemake to PBS or Grid Engine, whose commands have the same names and other options.

    profiles/qsub/submit.py pbs [OPTIONS OF QSUB] JOBSCRIPT

The job's resources are in its script, where Snakemake's plugin cluster-generic writes them.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

LOGS = Path(".snakemake/qsub_logs")


def read_job(script: Path) -> dict[str, Any]:
    """Return the properties of the job, from the second line of its script."""
    line = script.read_text(encoding="utf-8").splitlines()[1]
    return dict(json.loads(line.removeprefix("# properties = ")))


def common_options(job: dict[str, Any]) -> list[str]:
    """Return the options of both engines: name, log, environment.

    TOOLS is where rules find `python`: a login shell, which runs the script, may set another PATH. STOP_AFTER is when
    the script asks its processes to stop.
    """
    asked = job["resources"]
    variables = f"TOOLS={Path(sys.executable).parent}"
    if "minutes_to_stop" in asked:
        variables += f",STOP_AFTER={60 * (asked['runtime'] - asked['minutes_to_stop'])}"
    return ["-N", job.get("rule") or job["groupid"], "-o", f"{LOGS.resolve()}/", "-V", "-v", variables]


def pbs_options(job: dict[str, Any]) -> list[str]:
    """Return the options of PBS: everything in one chunk, and so on one host."""
    asked = job["resources"]
    chunk = f"select=1:ncpus={asked.get('cpus', job['threads'])}:mem={asked['mem_mb']}mb"
    if asked.get("gpu"):
        chunk += f":ngpus={asked['gpu']}:gpu_model={asked['gpu_model']}"
    return ["-j", "oe", "-l", chunk, "-l", f"walltime={60 * asked['runtime']}"]


def sge_options(job: dict[str, Any]) -> list[str]:
    """Return the options of Grid Engine: slots on one host, and GPUs for the job as a whole."""
    asked = job["resources"]
    limits = f"h_rt={60 * asked['runtime']},mem_free={asked['mem_mb']}M"
    if asked.get("gpu"):
        limits += f",gpu={asked['gpu']},gpu_model={asked['gpu_model']}"
    slots = str(asked.get("cpus", job["threads"]))
    return ["-terse", "-cwd", "-S", "/bin/sh", "-j", "y", "-pe", asked["sge_pe"], slots, "-l", limits]


OPTIONS = {"pbs": pbs_options, "sge": sge_options}

if __name__ == "__main__":
    engine, *own, script = sys.argv[1:]
    LOGS.mkdir(parents=True, exist_ok=True)
    job = read_job(Path(script))
    os.execvp("qsub", ["qsub", *common_options(job), *OPTIONS[engine](job), *own, script])
