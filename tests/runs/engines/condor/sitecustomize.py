"""Stands in for HTCondor's queue, which cannot be had here: on PYTHONPATH, it takes the place of `htcondor2.Schedd`.

What is submitted is noted in the folder that STAND_IN names, and run on this machine without any environment, as
HTCondor does, unless `refuse` there says no. What became of it goes into the job's log, which the plugin reads.
"""

import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

if "-m" not in sys.orig_argv:  # the jobs themselves submit nothing
    import htcondor2
    from htcondor2._submit_result import SubmitResult

    FOLDER = Path(os.environ["STAND_IN"])
    ENDED = """005 ({number:03}.000.000) {now} Job terminated.
\t(1) Normal termination (return value {status})
\t\t{usage}  -  Run Remote Usage
\t\t{usage}  -  Run Local Usage
\t\t{usage}  -  Total Remote Usage
\t\t{usage}  -  Total Local Usage
\t0  -  Run Bytes Sent By Job
\t0  -  Run Bytes Received By Job
\t0  -  Total Bytes Sent By Job
\t0  -  Total Bytes Received By Job
...
"""

    class Schedd:
        """A queue that runs everything at once."""

        def submit(self, description: htcondor2.Submit) -> SubmitResult:
            """Note a job, and run it."""
            number = 1 + len(list(FOLDER.glob("*.submit")))
            (FOLDER / f"{number}.submit").write_text(str(description))
            if (FOLDER / "refuse").exists():
                raise htcondor2.HTCondorException("refused")
            threading.Thread(target=run, args=(number, dict(description)), daemon=True).start()
            return SubmitResult(number, 0, 1, None, None)

    def run(number: int, job: dict[str, str]) -> None:
        """Run a job, and write down that it ended."""
        kept = {name: value for name, value in os.environ.items() if name in job["getenv"].split(", ")}
        ended = subprocess.run([job["executable"], *job["arguments"].split()], env=kept, check=False)
        note(Path(job["log"]), number, ended.returncode)

    def note(log: Path, number: int, status: int) -> None:
        """Write into the log, in HTCondor's words, that a job ended."""
        now = datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        with log.open("a") as file:
            file.write(ENDED.format(number=number, now=now, status=status, usage="Usr 0 00:00:00, Sys 0 00:00:00"))

    htcondor2.Schedd = Schedd
