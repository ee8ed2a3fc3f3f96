"""A request to end is heard wherever it arrives, whatever becomes of it there, and disturbs no clearing up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

CODE = """
import ctypes, os, signal, sys, threading, time, weakref
from contextlib import suppress
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it, one of nohup the other
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from bench.ending import ending_on_request, heed

number, place = int(sys.argv[1]), sys.argv[2]

def interrupt(*_):
    os.kill(os.getpid(), number)
    for _ in range(1000):
        pass

class Finalized:
    def __del__(self):
        interrupt()

class Referred: ...

class Looked:
    def __getattr__(self, name):
        interrupt()

def slow(lost):
    interrupt()
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        pass

def ask():
    if place == "finalizer":
        Finalized()
    elif place == "weak reference":
        it = Referred()
        kept = weakref.ref(it, interrupt)
        del it
    elif place == "cleared":  # as C code does
        ctypes.pythonapi.PyObject_HasAttrString(ctypes.py_object(Looked()), b"name")
    elif place == "caught":
        try:
            interrupt()
        except:
            pass
    elif place == "turned":
        try:
            interrupt()
        except BaseException as error:
            raise RuntimeError("an error of a library") from error
    elif place == "turned, cell":  # a cell's failure would be written where it is heeded
        with suppress(RuntimeError):
            try:
                interrupt()
            except BaseException:
                raise RuntimeError("an error of a library") from None
        heed()
    elif place == "hook":  # of another error
        class Broken:
            def __del__(self):
                raise ValueError
        Broken()
    elif place == "thread":  # the start of one holds this
        with threading._active_limbo_lock:
            interrupt()
    elif place == "often":
        try:
            interrupt()
        finally:
            for other in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
                os.kill(os.getpid(), other)
                time.sleep(0.1)
            print("let go", flush=True)

if place == "hook":
    sys.unraisablehook = slow
print("ready", flush=True)
with suppress(KeyboardInterrupt):
    with ending_on_request():
        ask()
        if sys.argv[-1] != "at its end":
            time.sleep(60)
    sys.exit("went on")
sys.exit(130)
"""
PLACES = ["finalizer", "weak reference", "cleared", "caught", "turned", "turned, cell", "hook", "thread", "often"]
CODES = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", CODES)
def test_whatever_becomes_of_what_is_raised_the_process_ends(number: int, place: str) -> None:
    check(number, place)


@pytest.mark.parametrize("place", PLACES)
def test_a_request_that_was_lost_is_heard_at_the_end_at_last(place: str) -> None:
    check(signal.SIGTERM, place, "at its end")


def check(number: int, *place: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(int(number)), *place],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    told, said = process.communicate(timeout=50)
    assert (process.returncode, said, time.monotonic() - started < 50) == (CODES[signal.Signals(number)], "", True)
    assert told == ("let go\n" if "often" in place else "")
