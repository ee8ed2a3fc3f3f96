"""A request to end, raised in the first thread until it has got through to those who let go of what the process holds.

Python runs the handler of a signal wherever the first thread happens to be. What it raises there may be lost: shown as
"ignored" and forgotten in a finalizer or in what a weak reference calls, cleared by a library's own code, caught by its
bare `except`, or turned into an error of another kind. The process would go on, and be killed for it in the end.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import CodeType, FrameType
from typing import Any

from bench.errors import UsageError

TERMINATED = 128 + signal.SIGTERM  # what a shell sees of a program that was asked to end
REQUESTS = (signal.SIGTERM, signal.SIGHUP)  # by a queue before it takes a machine away; by a terminal that is closed
SOON, LATER = 0.01, 1.0  # seconds to the first look whether a request is lost, and, doubled each time, to the last ones


class Ended(SystemExit):
    """The end that a signal asks for, with the exit code."""


@dataclass
class Request:
    """A request that has come: by which signal, and the exit code that it asks for (None: a KeyboardInterrupt)."""

    number: int
    code: int | None
    raised: list[BaseException] = field(default_factory=list)
    is_repeated: bool = False  # the signal on its way is not the user's

    def error(self) -> BaseException:
        error: BaseException = KeyboardInterrupt() if self.code is None else Ended(self.code)
        self.raised.append(error)
        return error

    def is_on_its_way(self) -> bool:
        """Whether the first thread, which asks, is letting go of things because of it."""
        error, seen = sys.exc_info()[1], set[int]()
        while error is not None and id(error) not in seen:
            if any(error is ours for ours in self.raised):
                return True
            seen.add(id(error))
            error = error.__context__
        return False


class _Block:
    """A block within which requests are heard."""

    def __init__(self) -> None:
        self.request: Request | None = None
        self.is_open = True
        # a handler may not start the thread: it may have come within the start of another, which holds a lock
        self.asked: SimpleQueue[Request | None] = SimpleQueue()
        self.lock = threading.Lock()  # held while a signal is sent again; the block's end waits for that
        self.hook: CodeType | None = None  # what is told of errors that Python ignores


_block: _Block | None = None  # the innermost; of the first thread, as signals are


@contextmanager
def ending_on_request() -> Iterator[None]:
    """Within the block a request to end has the process end as Ctrl-C does: what is claimed is let go. A second one,
    which a queue may send to every process while this one ends, changes nothing, but for another Ctrl-C; one that is
    ignored (nohup) stays so. A thread that is not the first cannot say so, and its process ends as it would anyway.

    An error that leaves the block after a request has come is the request's end, unless the user can mend it.
    """
    global _block
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in REQUESTS if signal.getsignal(number) is not signal.SIG_IGN]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        heard.append(signal.SIGINT)
    outer, told = _block, sys.unraisablehook
    block = _block = _Block()

    def forget(lost: Any) -> None:
        if block.request is None or all(lost.exc_value is not ours for ours in block.request.raised):
            told(lost)

    threading.Thread(target=_repeat, args=(block,), name="ending", daemon=True).start()
    block.hook, sys.unraisablehook = forget.__code__, forget
    before = {number: signal.signal(number, _hear) for number in heard}
    try:
        yield
        heed()
    except UsageError:
        raise
    except Exception:
        heed()
        raise
    finally:
        block.is_open = False
        with block.lock:  # none is sent after this, and none that was sent may meet another handler
            for number, handler in before.items():
                signal.signal(number, handler)
        block.asked.put(None)
        sys.unraisablehook = told
        _block = outer
        request, block.request = block.request, None
        if request is not None and not request.raised:  # it came while the block was left
            raise request.error()


def heed() -> None:
    """Raise what was asked for, where anything was: here it would be taken for something else, or for nothing."""
    if _block is not None and _block.request is not None:
        raise _block.request.error()


def end(number: int, frame: FrameType | None, code: int | None) -> None:
    """What a handler of a signal calls to have the process end; within a block (`ending_on_request`) it raises that, by
    `code` Ended or KeyboardInterrupt, unless the request is on its way, and the signal comes again until it is.
    """
    block = _block
    if block is None:
        raise Request(number, code).error()
    if block.request is None:
        block.request = Request(number, code)
        signal.signal(number, _hear)
        block.asked.put(block.request)
    request = block.request
    is_repeated = request.is_repeated and number == request.number
    if is_repeated:
        request.is_repeated = False
    is_another = number == signal.SIGINT and not is_repeated and request.raised
    if not block.is_open or _is_forgetting(block, frame):
        return
    if is_another or not request.is_on_its_way():
        raise request.error()


def _hear(number: int, frame: FrameType | None) -> None:
    end(number, frame, None if number == signal.SIGINT else 128 + number)


def _repeat(block: _Block) -> None:
    """Send a request's signal again, once there is one, until the block is left. This also wakes a thread that was just
    beginning to wait when the first one came.
    """
    request = block.asked.get()
    wait, first = SOON, threading.main_thread().ident
    assert first is not None
    while request is not None:
        time.sleep(wait)
        with block.lock:
            if not block.is_open:
                return
            request.is_repeated = True
            signal.pthread_kill(first, request.number)
        wait = min(2 * wait, LATER)


def _is_forgetting(block: _Block, frame: FrameType | None) -> bool:
    """Whether the first thread is just told of an error that Python ignores: what is raised there is shown."""
    while frame is not None and frame.f_code is not block.hook:
        frame = frame.f_back
    return frame is not None
