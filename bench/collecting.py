"""When Python's garbage collector works: not over what stays to the end, modules and the data of a run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_collecting() -> Iterator[None]:
    """Within the block the collector rests, where much is made that stays: to look through all of it again and again
    takes as long as making it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def set_aside() -> Iterator[None]:
    """Within the block the collector works, and passes over what is there now: millions of items, which stay to the
    end.

    Every loop collects before its memory is measured, and would go through all of them each time. Where it rests it is
    because what was made stays: it is not looked through for garbage first.
    """
    was_on = gc.isenabled()
    if was_on:
        gc.collect()
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.unfreeze()
        if not was_on:
            gc.disable()
