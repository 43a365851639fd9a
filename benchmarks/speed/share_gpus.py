"""Run trainings side by side on the GPUs of a machine, each on its own GPUs."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Protocol


class Sized(Protocol):
    """A row that needs a number of GPUs, and perhaps the end of another row."""

    @property
    def gpus(self) -> int:
        """How many it needs."""

    @property
    def after(self) -> str | None:
        """The name of what has to have ended before."""


Run = Callable[[str, Any, list[int]], dict[str, Any]]


def share_gpus(rows: Mapping[str, Sized], gpus: list[int], run: Run) -> Iterator[dict[str, Any]]:
    """Yield the results of `run` for each row's name, row and GPUs, in the order in which they end.

    A row starts once there are GPUs for it, those before it in the order first, so that one of many GPUs is not kept
    waiting for ever. Raises ValueError for a row that needs more GPUs than there are.
    """
    if wide := [name for name, row in rows.items() if row.gpus > len(gpus)]:
        raise ValueError(f"{wide[0]}: needs {rows[wide[0]].gpus} GPUs, and there are {len(gpus)}")
    free, changed = set(gpus), threading.Condition()
    ended = {name: threading.Event() for name in rows}
    waiting = list(rows)

    def work(name: str) -> dict[str, Any]:
        row = rows[name]
        if row.after in ended:
            ended[row.after].wait()
        with changed:
            changed.wait_for(lambda: first_ready() == name and len(free) >= row.gpus)
            taken = sorted(free)[: row.gpus]
            free.difference_update(taken)
            waiting.remove(name)
            changed.notify_all()
        try:
            return run(name, row, taken)
        finally:
            ended[name].set()
            with changed:
                free.update(taken)
                changed.notify_all()

    def first_ready() -> str:
        return next(name for name in waiting if rows[name].after not in ended or ended[str(rows[name].after)].is_set())

    with ThreadPoolExecutor(len(rows)) as threads:
        yield from (done.result() for done in as_completed([threads.submit(work, name) for name in rows]))
