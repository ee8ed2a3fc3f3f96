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

if sys.argv[-1] == "busy":  # on a busy machine the hook takes long, and others want the end too
    import bench.ending as ending

    raise_later, asked = ending._raise_later, []

    def slowly(error):
        raise_later(error)
        if not asked:
            asked.append(True)
            os.kill(os.getpid(), number)
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            pass

    ending._raise_later = slowly

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
        if sys.argv[-1] != "at its end":
            time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("number", "code", "place"),
    [
        (signal.SIGTERM, 143, ["finalizer"]),
        (signal.SIGHUP, 129, ["weak reference"]),
        (signal.SIGINT, 130, ["finalizer"]),
        (signal.SIGTERM, 143, ["finalizer", "busy"]),
        (signal.SIGINT, 130, ["finalizer", "busy"]),
        (signal.SIGTERM, 143, ["finalizer", "at its end"]),
        (signal.SIGINT, 130, ["weak reference", "at its end"]),
    ],
)
def test_what_is_lost_in_a_place_that_forgets_errors_comes_again(number: int, code: int, place: list[str]) -> None:
    command = ["-c", f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{CODE}"]
    process = subprocess.Popen(
        [sys.executable, *command, str(int(number)), *place], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    _, said = process.communicate(timeout=50)
    assert (process.returncode, said, time.monotonic() - started < 50) == (code, "", True)
