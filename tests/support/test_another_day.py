"""another_day.py: what runs on another day runs as well as today."""

import datetime
import json
import os
import subprocess
import sys

import pytest

from tests.support import another_day

# What a training does: it forks and waits with a limit while other threads look at the clock and wait for locks.
BUSY = """
import datetime, json, multiprocessing, os, threading, time

def look(condition):
    while True:
        time.time()
        with condition:
            condition.wait(0.001)

for _ in range(4):
    threading.Thread(target=look, args=(threading.Condition(),), daemon=True).start()
for number in range(200):
    child = os.fork()
    if not child:
        os._exit(time.time() < 0)
    os.waitpid(child, 0)
    os.environ[f"NUMBER_{number}"] = str(number)
started, semaphore = time.monotonic(), multiprocessing.Semaphore(0)
semaphore.acquire(timeout=0.1)
waited = time.monotonic() - started
print(json.dumps([waited, str(datetime.date.today()), os.popen("date +%F").read().strip()]))
"""


@pytest.mark.parametrize("days", [1, -40])
def test_a_program_with_busy_threads_forks_and_waits_on_another_day_as_today(days):
    before = datetime.date.today() + datetime.timedelta(days)
    environment = os.environ | another_day.environment(days)
    done = subprocess.run([sys.executable, "-c", BUSY], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    waited, *dates = json.loads(done.stdout)
    assert 0.1 <= waited < 60  # seconds; neither at once nor a day
    after = datetime.date.today() + datetime.timedelta(days)
    assert all(before <= datetime.date.fromisoformat(date) <= after for date in dates), dates
