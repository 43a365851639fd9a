"""Show on a terminal which stages run and how far each is, in place of Snakemake's messages about jobs.

Snakefile calls it when jobs start. It takes the place of Snakemake's own handler of messages, and nothing else: the log
in .snakemake/log has them all, and where no terminal is, or more was asked for (--verbose, --printshellcmds), or less
(--quiet), they are printed as ever. A plugin of Snakemake's (--logger) would have to be installed under a name of its
own beside snakemake, where the profile could not be read without it.
"""

import atexit
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from read_progress import read_progress
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

STREAM_HANDLER = "DefaultStreamHandler"  # Snakemake's name of it
REFRESHES = 2  # a second
ABOVE = "Exiting because a job execution failed. Look above for error messages"  # they are in the log, and below
SHOWN_JOBS = 8
BAR_FROM_COLUMNS = 72  # of the terminal
ASKED_FOR_LESS = {Quietness.RULES, Quietness.PROGRESS, Quietness.ALL}


@dataclass(frozen=True)
class Running:
    """A job that was started."""

    name: str
    log: Path | None
    since: float  # seconds since 1970


class Screen(logging.Handler):
    """A screen of the jobs that run; a line remains of each that has ended, and of each warning and error."""

    def __init__(self, console: Console, stages: int, hidden: Sequence[str] = ()) -> None:
        """Show a run of so many stages, leaving wildcards of these names out."""
        super().__init__()
        self.stages, self.hidden, self.ended = stages, hidden, 0
        self.running: dict[int, Running] = {}
        self.console = console
        options: dict[str, Any] = {"refresh_per_second": REFRESHES, "transient": True, "redirect_stdout": False}
        self.live = Live(get_renderable=self.render, console=console, **options)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one of Snakemake's messages."""
        event: Any = getattr(record, "event", None)
        fields = vars(record)
        if event == LogEvent.JOB_INFO:
            self.start(fields)
        elif event == LogEvent.JOB_FINISHED:
            self.end(fields["job_id"], "done", "green")
        elif event == LogEvent.JOB_ERROR:
            self.end(fields["jobid"], "failed", "red")
        elif event is None and record.levelno >= logging.WARNING and record.getMessage() != ABOVE:
            self.console.print(Text(record.getMessage(), style="yellow"), soft_wrap=True)

    def start(self, job: dict[str, Any]) -> None:
        """Add a job."""
        values = [value for name, value in job["wildcards"].items() if name not in self.hidden]
        log = Path(str(job["log"][0])) if job["log"] else None
        self.running[job["jobid"]] = Running(" ".join([job["rule_name"], *values]), log, time.time())

    def end(self, number: int, how: str, style: str) -> None:
        """Take a job away, and let a line remain."""
        if job := self.running.pop(number, None):
            self.ended += how == "done"
            line = Text.assemble((f"{how:<6}", style), f"  {job.name}  ", (elapsed(job.since), "dim"))
            self.console.print(line, soft_wrap=True)

    def render(self) -> RenderableType:
        """Return what the screen shows now."""
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
    """Return the time since then as 0:42 or 1:00:42."""
    minutes, seconds = divmod(int(time.time() - since), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def show_progress(workflow: Any) -> None:
    """Put the screen in place of Snakemake's handler until `stop_progress`, where there is a terminal to show it on."""
    plain = next((handler for handler in logger.handlers if handler.name == STREAM_HANDLER), None)
    settings = workflow.output_settings
    if plain is None or not plain.is_tty or os.environ.get("TERM") == "dumb":
        return
    if settings.verbose or settings.printshellcmds or ASKED_FOR_LESS & set(settings.quiet or ()):
        return
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name != "all"]
    runs = {job.wildcards_dict.get("run") for job in jobs}
    console = Console(file=plain.stream, no_color=settings.nocolor or None)
    screen = Screen(console, len(jobs), ["run"] if len(runs) == 1 else [])
    logger.removeHandler(plain)
    logger.addHandler(screen)
    SHOWN.append((screen, plain))
    atexit.register(stop_progress)  # also after Ctrl-C
    screen.live.start()


SHOWN: list[tuple[Screen, logging.Handler]] = []


def stop_progress() -> None:
    """Clear the screen, and let Snakemake say the rest itself."""
    while SHOWN:
        screen, plain = SHOWN.pop()
        screen.live.stop()
        logger.removeHandler(screen)
        logger.addHandler(plain)
