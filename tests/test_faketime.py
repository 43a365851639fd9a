"""faketime.py: what runs on another day runs as well as today."""

import datetime
import os
import subprocess
import sys

import faketime

# What a training does: it sets variables while threads wait for locks. Without moved_clock/ this ends with SIGSEGV.
BUSY = """
import os, sys, threading, time

def look():
    while True:
        time.time()

for _ in range(4):
    threading.Thread(target=look, daemon=True).start()
for number in range(2000):
    os.environ[f"NUMBER_{number % 200}"] = str(number)
    if number % 200 == 199:
        for old in range(200):
            del os.environ[f"NUMBER_{old}"]
os.putenv("KEPT", "yes")
SAY = "import datetime, os; print(os.environ['KEPT'], datetime.date.today())"
os.execvp(sys.executable, [sys.executable, "-c", SAY])
"""


def test_a_program_with_busy_threads_may_set_variables_on_another_day():
    tomorrow = datetime.date.today() + datetime.timedelta(days=1)
    environment = os.environ | faketime.environment(days=1)
    done = subprocess.run([sys.executable, "-c", BUSY], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, day = done.stdout.split()
    assert said == "yes" and datetime.date.fromisoformat(day) >= tomorrow
