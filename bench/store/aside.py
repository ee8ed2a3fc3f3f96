"""Where a process writes what is not whole yet: a place of its own, which the next run sweeps when it is killed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.store.workers import new_identity
from bench.writing import make_folder


def place_of(folder: Path, worker: str | None = None) -> Path:
    """The place aside of a worker in a results folder; by default of a new one, which is this process."""
    return folder / ".partial" / (worker or new_identity().worker)


def write_in(place: Path, write: Callable[[Path], None]) -> None:
    """Have something written in a place aside, which is gone afterwards.

    Where somebody has swept it meanwhile it is written once more: this process had stopped for so long (a machine that
    slept, a network that was away) that it seemed to have ended.
    """
    make_folder(place.parents[1])  # the results folder itself, which a power cut is not to take
    for is_last in (False, True):
        place.mkdir(parents=True, exist_ok=True)
        try:
            write(place)
            return
        except Exception:
            if is_last or place.exists():
                raise
        finally:
            with suppress(OSError):  # what is still in it somebody will sweep
                place.rmdir()
