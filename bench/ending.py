"""What the handler of a signal raises to end the process, raised until it is heard.

Python runs a handler wherever the first thread happens to be. Within a finalizer, or in what a weak reference calls
when its object is gone, an exception is shown as "ignored" and forgotten, and the process would go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

SOON = 0.01  # seconds, in which such a place is left mostly
_unheard: dict[int, object] = {}  # signals that are sent again, until they are heard
_before: dict[int, Any] = {}  # and who heard them before that


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
        while True:
            try:
                if isinstance(error, Ended | KeyboardInterrupt):
                    _raise_later(error)
                else:
                    before(lost)
                return
            except (Ended, KeyboardInterrupt) as another:  # a signal does not wait for the hook's end
                error = another

    sys.unraisablehook = hear
    try:
        yield
    finally:
        if sys.unraisablehook is hear:
            sys.unraisablehook = before
        for number in list(_unheard):  # what is on its way arrives here: afterwards nobody waits for it
            del _unheard[number]
            os.kill(os.getpid(), number)


def _raise_later(error: Ended | KeyboardInterrupt) -> None:
    """Have the signal come again that such an error is of, and raise it anew."""
    ended = error if isinstance(error, Ended) else None
    number: int = ended.number if ended else signal.SIGINT
    before = _before.setdefault(number, signal.getsignal(number))

    def raise_again(_: int, frame: FrameType | None) -> NoReturn:
        _unheard.pop(number, None)
        _before.pop(number, None)
        if ended is None:
            signal.signal(number, before or signal.default_int_handler)
            raise KeyboardInterrupt
        signal.signal(number, _ignore)  # SIG_IGN would have Python tell of a signal that is on its way
        raise Ended(int(ended.code or 0), number)

    mark = _unheard[number] = object()
    signal.signal(number, raise_again)
    threading.Thread(target=_send, args=(number, mark), name="ending", daemon=True).start()


def _ignore(number: int, frame: FrameType | None) -> None: ...


def _send(number: int, mark: object) -> None:
    """A signal to this process when the place where one was lost is left, until it is heard: one that arrives just when
    the first thread begins to wait for something does not wake it.
    """
    while True:
        time.sleep(SOON)
        if _unheard.get(number) is not mark:
            return
        if not _is_forgetting():
            os.kill(os.getpid(), number)


def _is_forgetting() -> bool:
    """Whether the first thread is still told of what was lost, which takes its time on a busy machine; what is raised
    there is lost too.
    """
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    code = getattr(sys.unraisablehook, "__code__", None)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None
