"""Show the running jobs on a terminal, from Snakemake's own messages."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from snakemake_interface_logger_plugins.common import LogEvent

from pipeline.graph.explain_failure import BY_USER, how_ended
from pipeline.graph.read_progress import read_progress

REFRESHES = 2  # a second
ABOVE = "Exiting because a job execution failed. Look above for error messages"  # they are in the log, and below
SHOWN_JOBS = 8
BAR_FROM_COLUMNS = 72  # of the terminal


@dataclass(frozen=True)
class Running:
    """A job that was started."""

    name: str
    log: Path | None
    since: float  # seconds since 1970


class Screen(logging.Handler):
    """A screen of the running jobs. Ended jobs, warnings and errors leave a line each."""

    def __init__(self, console: Console, stages: int, hidden: Sequence[str] = ()) -> None:
        """Show a run with this number of stages; wildcards with these names are left out."""
        super().__init__()
        self.stages, self.hidden, self.ended = stages, hidden, 0
        self.running: dict[int, Running] = {}
        self.said, self.by_user = "", False  # of commands that ended badly, since the last job of them; Ctrl-C
        self.console = console
        options: dict[str, Any] = {"refresh_per_second": REFRESHES, "transient": True, "redirect_stdout": False}
        self.live = Live(get_renderable=self.render, console=console, **options)

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one of Snakemake's messages; an error in here must not stop the run."""
        try:
            self.take(record)
        except Exception:
            self.handleError(record)

    def take(self, record: logging.LogRecord) -> None:
        """Change the screen according to a message."""
        event: Any = getattr(record, "event", None)
        fields = vars(record)
        if event == LogEvent.JOB_INFO:
            self.start(fields)
        elif event == LogEvent.JOB_FINISHED:
            self.end(fields["job_id"], "done", "green")
        elif event == LogEvent.JOB_ERROR:
            how = how_ended(self.said, str(fields.get("msg")), self.by_user)
            self.end(fields["jobid"], *((how.split()[0], "yellow") if how else ("failed", "red")))
            self.said = ""
        elif event == LogEvent.ERROR:
            self.said += record.getMessage()
        elif BY_USER in record.getMessage():
            self.by_user = True
        elif event is None and record.levelno >= logging.WARNING and record.getMessage() != ABOVE:
            self.console.print(Text(record.getMessage(), style="yellow"), soft_wrap=True)

    def start(self, job: dict[str, Any]) -> None:
        """Add a job."""
        values = [value for name, value in job["wildcards"].items() if name not in self.hidden]
        log = Path(str(job["log"][0])) if job["log"] else None
        self.running[job["jobid"]] = Running(" ".join([job["rule_name"], *values]), log, time.time())

    def end(self, number: int, how: str, style: str) -> None:
        """Remove a job from the screen, and leave a line about it."""
        if job := self.running.pop(number, None):
            self.ended += how == "done"
            line = Text.assemble((f"{how:<7}", style), f"  {job.name}  ", (elapsed(job.since), "dim"))
            self.console.print(line, soft_wrap=True)

    def render(self) -> RenderableType:
        """Return the screen as it is now."""
        jobs = list(self.running.values())
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(no_wrap=True, max_width=36)
        wide = self.console.width >= BAR_FROM_COLUMNS
        if wide:
            table.add_column(width=20)
        table.add_column(no_wrap=True, ratio=1)
        table.add_column(justify="right", no_wrap=True)
        for job in jobs[:SHOWN_JOBS]:
            progress = read_progress(job.log, job.since) if job.log else None
            bar = [ProgressBar(progress.total, progress.done) if progress else ""] if wide else []
            table.add_row(
                Text(job.name, "bold"), *bar, progress.said if progress else "", Text(elapsed(job.since), "dim")
            )
        more = f", {len(jobs) - SHOWN_JOBS} more running" if len(jobs) > SHOWN_JOBS else ""
        return Group(table, Text(f"{self.ended} of {self.stages} stages done{more}", "dim"))


def elapsed(since: float) -> str:
    """Return the time since `then` as 0:42 or 1:00:42."""
    minutes, seconds = divmod(int(time.time() - since), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
