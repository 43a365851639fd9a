"""Show the running stages and their progress on a terminal, in place of Snakemake's messages about jobs.

Snakefile calls it when jobs start. It takes the place of Snakemake's own handler of messages, and of nothing else: the
log in .snakemake/log has them all. Without a terminal, or if more was asked for (--verbose, --printshellcmds), or less
(--quiet), or a plugin (--logger), the messages are printed as usual. Why this is not a logger plugin: docs/tracking.md.
"""

import atexit
import logging
import os
from typing import Any

from snakemake.exceptions import RuleException
from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from pipeline.graph.explain_failure import BY_USER

STREAM_HANDLER = "DefaultStreamHandler"  # Snakemake's name of it
ASKED_FOR_LESS = {Quietness.RULES, Quietness.PROGRESS, Quietness.ALL}
SHOWN: list[tuple[Any, logging.Handler]] = []  # the screen, and what it stands in for


class NoBlameAfterCtrlC(logging.Filter):
    """Leaves out the errors of jobs that end since the user asked for it: their whole commands, twice."""

    asked = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a message is shown."""
        self.asked |= BY_USER in record.getMessage()
        is_error = getattr(record, "event", None) == LogEvent.JOB_ERROR
        return not (self.asked and (is_error or getattr(record, "exception", None) == RuleException.__name__))


def show_progress(workflow: Any) -> None:
    """Put the screen in place of Snakemake's handler until `stop_progress`, if there is a terminal."""
    plain = next((handler for handler in logger.handlers if handler.name == STREAM_HANDLER), None)
    settings = workflow.output_settings
    if plain is not None and not settings.verbose:
        plain.addFilter(NoBlameAfterCtrlC())
    if plain is None or not plain.is_tty or os.environ.get("TERM") == "dumb":
        return
    if settings.verbose or settings.printshellcmds or ASKED_FOR_LESS & set(settings.quiet or ()):
        return
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name != "all"]
    runs = {job.wildcards_dict.get("run") for job in jobs}
    # Not at the top: every snakemake reads this module, also one that starts no job.
    from rich.console import Console

    from pipeline.graph.progress_screen import Screen

    console = Console(file=plain.stream, no_color=settings.nocolor or None)
    screen = Screen(console, len(jobs), ["run"] if len(runs) == 1 else [])
    logger.removeHandler(plain)
    logger.addHandler(screen)
    SHOWN.append((screen, plain))
    atexit.register(stop_progress)  # also after Ctrl-C
    screen.live.start()


def stop_progress() -> None:
    """Clear the screen, and give the messages back to Snakemake."""
    while SHOWN:
        screen, plain = SHOWN.pop()
        screen.live.stop()
        logger.removeHandler(screen)
        logger.addHandler(plain)
