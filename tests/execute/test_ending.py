"""A request to end is heard wherever it arrives, also where Python forgets what is raised."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

CODE = """
import os, sys, time, weakref
from bench.execute.worker import ending_on_request

number = int(sys.argv[1])

def interrupt(*_):
    os.kill(os.getpid(), number)
    for _ in range(1000):
        pass

class Finalized:
    def __del__(self):
        interrupt()

class Referred: ...

print("ready", flush=True)
try:
    with ending_on_request():
        if sys.argv[2] == "finalizer":
            Finalized()
        else:
            it = Referred()
            kept = weakref.ref(it, interrupt)
            del it
        time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("place", ["finalizer", "weak reference"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_what_is_lost_in_a_place_that_forgets_errors_comes_again(number: int, code: int, place: str) -> None:
    command = ["-c", f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{CODE}"]
    process = subprocess.Popen(
        [sys.executable, *command, str(int(number)), place], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    _, said = process.communicate(timeout=50)
    assert (process.returncode, said, time.monotonic() - started < 50) == (code, "", True)
