"""Forks of a process that has imported everything: each runs a real command line, in a session of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.commands.interrupts import end_at_once

PATIENCE = 60.0  # seconds for the processes of a session to end after the one that started them
Arm = Callable[[], None]  # done in the fork before the command begins


def fork(run: Callable[[], object], said: Path) -> int:
    """A child that runs something, with what it prints in a file; its process id, which is its session's too."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for stream in (1, 2):
            os.dup2(handle, stream)
        run()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def command(words: Sequence[object], *arms: Arm) -> Callable[[], None]:
    """`bench` with these words. Its workers are forks too, where they would be spawned: nothing else is other than a
    user has it.
    """

    def run() -> None:
        from bench.cli import main

        end_at_once()  # as a new Python has it from its first line
        os.register_at_fork(after_in_child=_reset)
        context = multiprocessing.get_context
        multiprocessing.get_context = lambda _=None: context("fork")  # type: ignore[assignment, misc]
        sys.argv = ["bench", *map(str, words)]
        for arm in arms:
            arm()
        main()

    return run


def _reset() -> None:
    """Signals as a new program has them: those that are ignored stay so."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def ended(child: int) -> int | None:
    """The exit code of a child, negative for a signal; None while it lives."""
    found, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def is_alive(child: int) -> bool:
    """Whether a child has not ended; it stays to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def living(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for place in os.listdir("/proc"):
        if not place.isdigit():
            continue
        try:
            state, _, _, its, *_ = Path(f"/proc/{place}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found += [int(place)] if int(its) == session and state not in "ZX" else []
    return found


def all_end(session: int) -> bool:
    """Wait for the processes of a session; whether they end by themselves. Those that do not are killed."""
    until = time.monotonic() + PATIENCE
    while left := living(session):
        if time.monotonic() > until:
            for process in left:
                os.kill(process, signal.SIGKILL)
            return False
        time.sleep(0.01)
    return True
