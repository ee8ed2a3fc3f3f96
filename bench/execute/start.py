"""How a process for a worker is started: whatever program it is that wants one, a script or a notebook among them."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import ModuleType


def start(process: BaseProcess) -> None:
    """Start a process that Ctrl-C does not reach, and that runs nothing of the script of this one."""
    with _without_script(), _ignoring_interrupts():
        process.start()


@contextmanager
def _without_script() -> Iterator[None]:
    """multiprocessing has a new process run the script of this one once more, for what it may define. A worker needs
    nothing of it, and a script that calls bench.run() at its top would call it again and again.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal: a worker is asked by the one that started it. Only a program's first
    thread can say so; the process itself says it again (bench.execute.pool.main).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
