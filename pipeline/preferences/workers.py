"""Worker processes for the conversion; the main process works, too."""

import dataclasses
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.preferences.chunk import Chunk
from pipeline.preferences.convert_chunk import Converted, convert_chunk
from pipeline.preferences.options import Options
from pipeline.preferences.slots import SLOT_BYTES, Slots

AHEAD = 4  # chunks that lie ready for a process, which then has something to do while this one is busy
MOST_WAITING = 8  # chunks for each core that wait, finished, for an earlier one: the first does not come before a start


class Task(NamedTuple):
    """A task in progress, in this process or another."""

    is_done: Callable[[], bool]
    result: Callable[[], Any]  # waits for it


class Workers:
    """This process and `cores` - 1 others, which take half a second to start; this one has begun by then."""

    def __init__(self, folder: Path, cores: int) -> None:
        self.cores = cores
        self.pool: ProcessPoolExecutor | None = None
        if cores > 1:
            self.free = list(range(AHEAD * (cores - 1)))
            self.slots = Slots.create(folder / "slots", len(self.free))
            spawn = multiprocessing.get_context("spawn")  # polars does not survive a fork
            self.pool = ProcessPoolExecutor(cores - 1, spawn, start_worker, (folder / "slots",))
        # What a chunk leaves behind holds no cycles, and looking for them takes a third of the time.
        gc.disable()

    def convert(self, chunks: Iterable[Chunk], options: Options) -> Iterator[tuple[Chunk, Converted]]:
        """Yield each chunk without its data, and its result, in order."""
        return self.take(self.begin_converting(chunk, options) for chunk in chunks)

    def begin_converting(self, chunk: Chunk, options: Options) -> Task:
        """Convert a chunk, elsewhere if another process has room for it."""
        bare = dataclasses.replace(chunk, data=b"")
        if self.pool and self.free and len(chunk.data) <= SLOT_BYTES:
            slot = self.free.pop()
            self.slots.write(slot, chunk.data)
            future = self.pool.submit(convert_slot, slot, len(chunk.data), bare, options)
            return Task(future.done, lambda: (bare, self.fetch(slot, future)))
        return finished((bare, convert_chunk(chunk, options)))

    def fetch(self, slot: int, future: "Future[tuple[int, Converted]]") -> Converted:
        """Return the result of the chunk in a slot, and free the slot."""
        size, converted = future.result()
        if size:
            converted.pairs = self.slots.read(slot, size)
        self.free.append(slot)
        return converted

    def run(self, calls: Iterable[Callable[[], Any]]) -> Iterator[Any]:
        """Yield the results of calls, in order."""
        return self.take(self.begin(number, call) for number, call in enumerate(calls, 1))

    def begin(self, number: int, call: Callable[[], Any]) -> Task:
        """Make every call whose number `cores` divides here, and the others elsewhere."""
        if self.pool and number % self.cores:
            future = self.pool.submit(call)
            return Task(future.done, future.result)
        return finished(call())

    def take(self, tasks: Iterable[Task]) -> Iterator[Any]:
        """Yield the results of tasks that are begun one by one, in order."""
        waiting: deque[Task] = deque()
        for task in tasks:
            waiting.append(task)
            while waiting and (waiting[0].is_done() or len(waiting) > MOST_WAITING * self.cores):
                yield waiting.popleft().result()
        for task in waiting:
            yield task.result()

    def close(self) -> None:
        """End the other processes."""
        gc.enable()
        if self.pool:
            self.pool.shutdown(cancel_futures=True)
            self.slots.close()


def finished(result: Any) -> Task:
    """Return a task that was done here."""
    return Task(lambda: True, lambda: result)


# In the other processes

slots: Slots


def start_worker(path: Path) -> None:
    """Leave Ctrl-C to the parent, and end when it ends."""
    global slots
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    threading.Thread(target=end_with_parent, daemon=True).start()
    slots = Slots(path)


def end_with_parent() -> None:
    """Wait for the parent's end, however it came."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


def convert_slot(slot: int, size: int, chunk: Chunk, options: Options) -> tuple[int, Converted]:
    """Convert the chunk in a slot. The pairs come back in it too, with their size, or with 0 where it is too small."""
    converted = convert_chunk(dataclasses.replace(chunk, data=slots.read(slot, size)), options)
    if len(converted.pairs) > SLOT_BYTES:
        return 0, converted
    slots.write(slot, converted.pairs)
    return len(converted.pairs), dataclasses.replace(converted, pairs=b"")
