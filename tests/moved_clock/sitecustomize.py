"""Loaded by every Python that runs under libfaketime (tests/faketime.py): mends two things that it breaks."""

import ctypes
import os
import select
import time

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = LIBC.strdup.restype = ctypes.c_void_p
# The C library's list, of texts "NAME=value", with 0 at its end.
VARIABLES = ctypes.POINTER(ctypes.c_void_p).in_dll(LIBC, "environ")


def sleep(seconds: float) -> None:
    """Wait. libfaketime 0.9.10 leaves waits on locks to the monotonic clock, so that one must not be moved; but then
    its clock_nanosleep refuses the deadline that Python's sleep computes. A wait without files needs no deadline."""
    select.select([], [], [], seconds)


def putenv(name: bytes | str, value: bytes | str) -> None:
    """Set a variable by putting a new list in place of the old, which other threads may be reading.

    Each wait on a lock under libfaketime reads the list. The C library's own function frees it when a variable is
    added, which ended some trainings with SIGSEGV. Here nothing is freed.
    """
    name, value = os.fsencode(name), os.fsencode(value)
    number = 0
    while VARIABLES[number]:
        number += 1
    entries = [entry for entry in VARIABLES[:number] if not ctypes.string_at(entry).startswith(name + b"=")]
    entries += [LIBC.strdup(name + b"=" + value), None]
    memory = LIBC.malloc(len(entries) * ctypes.sizeof(ctypes.c_void_p))
    (ctypes.c_void_p * len(entries)).from_address(memory)[:] = entries
    ctypes.c_void_p.in_dll(LIBC, "environ").value = memory


time.sleep = sleep
os.putenv = putenv  # type: ignore[assignment]  # os.environ calls it
