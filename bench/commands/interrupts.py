"""Ctrl-C while a command is still getting ready: it ends at once, with the line that it ends with later.

Until then modules are imported, torch among them, and a KeyboardInterrupt there may be swallowed, or shown with pages
of other people's code. Nothing has been begun that somebody would have to let go of.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

STOPPED = 130  # what a shell expects after Ctrl-C
LINE = "stopped; finished cells are kept, the same command goes on from there"


def end_at_once() -> None:
    """From here on Ctrl-C ends the process without a KeyboardInterrupt; where it is ignored it stays so."""
    if _is_first() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_it() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt again: something may have been begun. Nothing where it was never else,
    as in a notebook.
    """
    if _is_first() and signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_first() -> bool:
    return threading.current_thread() is threading.main_thread()


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(2, f"{LINE}\n".encode())
    os._exit(STOPPED)
