"""Where a run is killed: at a call of a named function, or before a change of its results folder."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

# what a run goes through: by phase the functions, where they are called from
STORE, CLAIMS, MEASURE = "bench.store.store", "bench.store.claims", "bench.commands.measure"
PHASES: dict[str, tuple[tuple[str, str], ...]] = {
    "planning": (("bench.commands.run", "plan"), ("bench.commands.grid", "outstanding"), (STORE, "Store.create")),
    "proving": (("bench.execute.executor", "proofs_of"),),
    "reading": ((MEASURE, "prepare"), ("bench.runner", "prepare")),
    "claiming": (
        (CLAIMS, "Claims.take"), (CLAIMS, "Claims.release"), ("bench.store.workers", "Presence._write"),
    ),
    "loading": (("bench.train.backbones", "load_backbone"),),
    "training": (("bench.train.training", "Training.step"),),
    "evaluation": (("bench.score.evaluate", "Predictor.predict"),),
    "writing": tuple(
        (STORE, name) for name in ("Store.write", "Store._place", "flush", "Store.write_examples", "write_text")
    ),
    "choosing": (("bench.execute.work", "choose"), ("bench.execute.work", "Work._sort"), (STORE, "Store.write_plan")),
    "ending": ((MEASURE, "_close"), (MEASURE, "conclude"), ("bench.store.workers", "Presence.__exit__")),
}  # fmt: skip
REPORTING = tuple(
    zip(("bench.commands.report", *["bench.report.files"] * 2), ("report_folders", "figures_of", "texts"), strict=True)
)
CHANGES = ("open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.utime")


@dataclass(frozen=True)
class Blow:
    """A signal that a process gives itself, once in a run: a worker of several where `worker` says so, else the first.

    `once` is a file that the one that dies makes before, so that no other does.
    """

    once: Path
    worker: bool
    number: int = signal.SIGKILL

    def fall(self) -> None:
        if (multiprocessing.parent_process() is not None) is self.worker:
            try:
                os.close(os.open(self.once, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
            os.kill(os.getpid(), self.number)


def at_call(point: tuple[str, str], turn: int, after: bool, blow: Blow) -> Callable[[], None]:
    """Let a blow fall at the so-many-th call of a function, before or after its work."""

    def arm() -> None:
        holder: Any = importlib.import_module(point[0])
        *names, last = point[1].split(".")
        for name in names:
            holder = getattr(holder, name)
        plain = holder.__dict__[last]
        function = plain.__func__ if isinstance(plain, classmethod) else plain
        calls = 0

        @wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            is_it = calls == turn
            if is_it and not after:
                blow.fall()
            came_to = function(*arguments, **named)
            if is_it and after:
                blow.fall()
            return came_to

        setattr(holder, last, classmethod(called) if isinstance(plain, classmethod) else called)

    return arm


def at_change(folder: Path, turn: int, blow: Blow) -> Callable[[], None]:
    """Let a blow fall before a process's so-many-th change of a folder: a file made, linked, renamed or removed."""

    def arm() -> None:
        changes, busy = 0, False

        def hear(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal changes, busy
            if busy or event not in CHANGES:
                return
            if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
            if not any(isinstance(each, (str, os.PathLike)) and str(folder) in os.fspath(each) for each in arguments):
                return
            changes += 1
            if changes == turn:
                busy = True
                blow.fall()
                busy = False

        sys.addaudithook(hear)

    return arm
