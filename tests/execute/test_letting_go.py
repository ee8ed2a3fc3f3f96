"""A run that is asked to end just where it claims something, shows itself or lets go leaves nothing behind."""

from __future__ import annotations

import os
import signal
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from bench.store import claims, store, workers

POINTS = {
    "its file is there, the block not begun": (workers.Presence, "_write", True),
    "a claim is there, not noted": (claims.Claims, "_create", True),
    "a claim is about to be let go": (claims.Claims, "release", False),
    "a cell is written aside": (store.Store, "_place", False),
    "the block is left": (workers.Presence, "__exit__", False),
    "everything is about to be let go": (claims.Claims, "close", False),
}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left(number: int, point: str, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, name, after = POINTS[point]
    function, told = getattr(holder, name), list[bool]()

    @wraps(function)
    def asked(*arguments: Any, **named: Any) -> Any:
        came_to = function(*arguments, **named) if after else None
        if not told:
            told.append(True)
            os.kill(os.getpid(), number)
        return came_to if after else function(*arguments, **named)

    monkeypatch.setattr(holder, name, asked)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        assert bench.run("--seeds", "2", "--lanes", "1")[0] == 128 + number
    finally:
        signal.signal(signal.SIGINT, before)
    assert told
    assert [path for room in ("claims", "workers", "failed", ".partial") for path in Path("out", room).glob("*")] == []
