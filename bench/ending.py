"""What the handler of a signal raises to end the process, raised until it is heard.

Python runs a handler wherever the first thread happens to be. Within a finalizer, or in what a weak reference calls
when its object is gone, an exception is shown as "ignored" and forgotten, and the process would go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

SOON = 0.01  # seconds, in which such a place is left


class Ended(SystemExit):
    """The end that a signal asks for; `number` is the signal's."""

    def __init__(self, code: int, number: int) -> None:
        super().__init__(code)
        self.number = number


@contextmanager
def raised_until_heard() -> Iterator[None]:
    """Within the block a KeyboardInterrupt and `Ended` that were lost come once more, and nothing is shown of it."""
    before = sys.unraisablehook

    def hear(lost: Any) -> None:
        error = lost.exc_value
        if isinstance(error, Ended):
            signal.signal(error.number, lambda number, frame: _raise(error, frame))
            _send(error.number)
        elif isinstance(error, KeyboardInterrupt):
            _send(signal.SIGINT)
        else:
            before(lost)

    sys.unraisablehook = hear
    try:
        yield
    finally:
        if sys.unraisablehook is hear:
            sys.unraisablehook = before


def _raise(error: Ended, frame: FrameType | None) -> NoReturn:
    signal.signal(error.number, signal.SIG_IGN)
    raise Ended(int(error.code or 0), error.number)


def _send(number: int) -> None:
    """A signal to this process, when the place where it was lost is left; one that waits for something is woken."""
    later = threading.Timer(SOON, os.kill, (os.getpid(), number))
    later.daemon = True
    later.start()
