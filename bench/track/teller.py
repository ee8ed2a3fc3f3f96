"""What tells trackers, in a thread of its own: no cell waits for a service, and none costs more for being tracked."""

from __future__ import annotations

import queue
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench.cell import Cell
from bench.track.tracker import Run, Tracker

MOST_FAILURES = 3  # cells in a row that a tracker may fail at; it is then not asked again
PATIENCE = 60.0  # seconds in which trackers may end what they have been told
INTERRUPTED = "interrupted"


class Teller:
    """Hands on, in their order, what `begin`, `log` and `close` are called with. A tracker that fails is left out: of
    that cell, and of all after some in a row; the user reads one warning.
    """

    def __init__(self, kinds: Mapping[str, type[Tracker]], folder: Path) -> None:
        self._kinds, self._folder = dict(kinds), folder
        self._runs: dict[str, dict[str, Tracker]] = {}  # by cell, by the tracker's name
        self._failures = dict.fromkeys(kinds, 0)
        self._warned: set[str] = set()
        self._words: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._live, name="trackers", daemon=True)
        self._thread.start()

    def begin(self, cell: Cell) -> None:
        """A cell's runs; one that is tried again goes on with those it has."""
        self._words.put(partial(self._begin, cell))

    def log(self, cell_id: str, step: int, numbers: Mapping[str, float]) -> None:
        self._words.put(partial(self._log, cell_id, step, numbers))

    def close(self, cell_id: str, status: str, numbers: Mapping[str, float]) -> None:
        self._words.put(partial(self._close, cell_id, status, numbers))

    def end(self) -> None:
        """Close what is open, and wait until all is told."""
        self._words.put(None)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            names = ", ".join(self._kinds)
            warnings.warn(f"--track {names}: not done after {PATIENCE:.0f} s; what is left may be lost", stacklevel=2)

    def _live(self) -> None:
        while (word := self._words.get()) is not None:
            word()
        for cell_id in list(self._runs):
            self._close(cell_id, INTERRUPTED, {})

    def _begin(self, cell: Cell) -> None:
        if cell.id in self._runs:
            return
        runs: dict[str, Tracker] = {}
        self._runs[cell.id] = runs
        for name, kind in self._kinds.items():
            if self._failures[name] < MOST_FAILURES:
                self._asked(name, runs, partial(_begun, runs, name, kind, Run(cell, self._folder)))

    def _log(self, cell_id: str, step: int, numbers: Mapping[str, float]) -> None:
        runs = self._runs.get(cell_id, {})
        for name, run in list(runs.items()):
            self._asked(name, runs, partial(run.log, step, numbers))

    def _close(self, cell_id: str, status: str, numbers: Mapping[str, float]) -> None:
        runs = self._runs.pop(cell_id, {})
        for name, run in list(runs.items()):
            if self._asked(name, runs, partial(run.close, status, numbers)):
                self._failures[name] = 0

    def _asked(self, name: str, runs: dict[str, Tracker], what: Callable[[], None]) -> bool:
        """Whether a tracker took it."""
        try:
            what()
        except Exception as error:
            runs.pop(name, None)
            self._failures[name] += 1
            if name not in self._warned:
                self._warned.add(name)
                said = " ".join(str(error).split())[:300]
                warnings.warn(f"--track {name}: {type(error).__name__}: {said}; cells train without it", stacklevel=2)
            return False
        return True


def _begun(runs: dict[str, Tracker], name: str, kind: type[Tracker], run: Run) -> None:
    runs[name] = kind(run)
