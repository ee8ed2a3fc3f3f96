"""Where a process writes what is not whole yet: a place of its own, which the next run sweeps when it is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.store.workers import new_identity
from bench.writing import make_folder


def place_of(folder: Path, worker: str | None = None) -> Path:
    """The place aside of a worker in a results folder; by default of a new one, which is this process."""
    return folder / ".partial" / (worker or new_identity().worker)


@contextmanager
def writing_in(place: Path) -> Iterator[Path]:
    """Within the block a place aside is there."""
    make_folder(place.parent.parent)  # the results folder itself, which a power cut is not to take
    place.mkdir(parents=True, exist_ok=True)
    try:
        yield place
    finally:
        with suppress(OSError):  # what is still in it somebody will sweep
            place.rmdir()
