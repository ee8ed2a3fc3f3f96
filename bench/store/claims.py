"""Claims on cells: a cell is claimed before it is trained, so that no two processes train the same one.

    NAME/claims/<cell>.<number>   who has it; numbers count the owners, 0 being the first

A claim is made by creating its file, which fails where it exists: that one file system call decides, on every file
system, also over a network. Nobody removes another's claim. One whose owner is gone (bench.store.workers) is overtaken
by the next number, and only one process can create that. Who holds the highest number holds the cell; a process that
was thought to be gone and comes back finds its cell finished, and a finished record is never replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bench.store.files import on_disk
from bench.store.workers import Identity, Watch

MOST_DEATHS = 3  # owners of one run that may be gone before their cell is given up


@dataclass(frozen=True)
class Held:
    """A cell's claims: the number and owner of the last one (None: not readable yet), whether that owner is gone, and
    how many owners of this run are, the last included. `how` it went, where that is known.
    """

    cell: str
    number: int
    owner: Identity | None
    is_gone: bool
    deaths: int
    how: str = ""


class Claims:
    """The claims of one process, `me`, on a folder's cells."""

    def __init__(self, folder: Path, me: Identity, watch: Watch) -> None:
        self.me, self._store, self._folder, self._watch = me, folder, folder / "claims", watch
        self._mine: dict[str, int] = {}
        self._owners: dict[str, Identity] = {}  # by file name; what a claim says never changes

    def held(self) -> dict[str, Held]:
        """Every claim that stands, by cell."""
        numbers: dict[str, list[int]] = {}
        for name in self._names():
            cell, _, number = name.rpartition(".")
            if cell and number.isdecimal():
                numbers.setdefault(cell, []).append(int(number))
        return {cell: self._held(cell, sorted(of_cell)) for cell, of_cell in numbers.items()}

    def _names(self) -> Sequence[str]:
        try:
            return os.listdir(self._folder)
        except FileNotFoundError:
            return []

    def _held(self, cell: str, numbers: Sequence[int]) -> Held:
        owners = [self._owner(f"{cell}.{number}") for number in numbers]
        gone = [owner is not None and self._watch.is_gone(owner) for owner in owners]
        of_run = sum(is_gone and owner.run == self.me.run for owner, is_gone in zip(owners, gone, strict=True) if owner)
        how = self._watch.how(owners[-1]) if owners[-1] else ""
        return Held(cell, numbers[-1], owners[-1], gone[-1], of_run, how)

    def _owner(self, name: str) -> Identity | None:
        if name not in self._owners:
            try:
                self._owners[name] = Identity.model_validate_json((self._folder / name).read_text(encoding="utf-8"))
            except (OSError, ValidationError):
                return self._unwritten(name)
        return self._owners[name]

    def _unwritten(self, name: str) -> Identity | None:
        """The owner of a claim that says nothing: it is being written, or its process ended in the middle of that. As
        of a worker nobody knows, it is over when nothing has happened for long enough.
        """
        if not (self._folder / name).exists():
            return None
        return Identity(worker=f"unwritten-{name}", run="", host="", machine="", process=0)

    def take(self, cells: Iterable[str], held: Mapping[str, Held] | None = None) -> list[str]:
        """Claim those of `cells` that are free, or whose owner is gone; returns what is now this process's.

        `held` is what `held()` has just said. DiskError where no claim can be made at all.
        """
        known = self.held() if held is None else held
        taken = []
        for cell in cells:
            before = known.get(cell)
            if cell in self._mine or (before is not None and not before.is_gone):
                continue
            number = 0 if before is None else before.number + 1
            if self._create(f"{cell}.{number}"):
                self._mine[cell] = number
                taken.append(cell)
        return taken

    def _create(self, name: str) -> bool:
        """Make a claim with its text in one step; where the file system has no hard links, in two."""
        with on_disk(self._store):
            self._folder.mkdir(exist_ok=True)
            aside = self._folder / f".{self.me.worker}"
            try:
                if not aside.exists():
                    aside.write_text(self.me.model_dump_json(), encoding="utf-8")
                os.link(aside, self._folder / name)
                return True
            except FileExistsError:
                return self._is_mine(name)
            except OSError:
                return self._create_in_two(name)

    def _is_mine(self, name: str) -> bool:
        """A network may lose the answer to a call that did its work, and ask again."""
        owner = self._owner(name)
        return owner is not None and owner.worker == self.me.worker

    def _create_in_two(self, name: str) -> bool:
        try:
            handle = os.open(self._folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return self._is_mine(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self.me.model_dump_json())
        return True

    def release(self, cells: Iterable[str], over: bool = True) -> None:
        """Let go of cells. Those that are `over`, with a record or a failure, also lose the claims of earlier owners;
        else these go on to count.
        """
        for cell in cells:
            number = self._mine.pop(cell, None)
            if number is None:
                continue
            for earlier in range(number + 1) if over else [number]:
                with suppress(OSError):
                    (self._folder / f"{cell}.{earlier}").unlink(missing_ok=True)

    def forget(self, cells: Iterable[str], held: Mapping[str, Held]) -> None:
        """Remove claims on cells that are finished, whose owners ended before they could let go."""
        for cell in cells:
            claim = held.get(cell)
            for number in range(claim.number + 1) if claim is not None and claim.is_gone else ():
                with suppress(OSError):
                    (self._folder / f"{cell}.{number}").unlink(missing_ok=True)

    def abandon(self) -> None:
        """The worker that these claims stand for has died: they stay, and count as one death of each cell's owners."""
        self._mine.clear()
        self.close()

    def close(self) -> None:
        """Let go of everything."""
        self.release(list(self._mine), over=False)
        with suppress(OSError):
            (self._folder / f".{self.me.worker}").unlink(missing_ok=True)
