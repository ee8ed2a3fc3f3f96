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

from bench.store.files import content_of, on_disk
from bench.store.store import Store
from bench.store.workers import Identity, Watch, new_identity, unknown

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
        self._is_written = False  # the text of claims, whole
        self._are_abandoned = False
        self._before: frozenset[str] | None = None  # names of claims that stood when this process came
        self._owners: dict[str, Identity] = {}  # by what a claim says

    def held(self) -> dict[str, Held]:
        """Every claim that stands, by cell."""
        numbers: dict[str, list[int]] = {}
        names = self._names()
        if self._before is None:
            self._before = frozenset(names)
        for name in names:
            cell, _, number = name.rpartition(".")
            if cell and number.isdecimal():
                numbers.setdefault(cell, []).append(int(number))
        gone: dict[str, bool] = {}
        return {cell: self._held(cell, sorted(of_cell), gone) for cell, of_cell in numbers.items()}

    def _names(self) -> Sequence[str]:
        try:
            return os.listdir(self._folder)
        except FileNotFoundError:
            return []

    def _held(self, cell: str, numbers: Sequence[int], gone: dict[str, bool]) -> Held:
        """`gone`: by worker, what this look has found out already."""
        owners = {number: self._owner(f"{cell}.{number}") for number in numbers}
        for owner in owners.values():
            if owner is not None and owner.worker not in gone:
                gone[owner.worker] = self._watch.is_gone(owner)
        deaths = sum(
            owner is not None and gone[owner.worker] and self._counts(owner, f"{cell}.{number}")
            for number, owner in owners.items()
        )
        last = owners[numbers[-1]]
        is_left = last is not None and last.worker == self.me.worker and cell not in self._mine
        how = self._watch.how(last) if last else ""
        return Held(cell, numbers[-1], last, is_left or (last is not None and gone[last.worker]), deaths, how)

    def _counts(self, owner: Identity, name: str) -> bool:
        """Whether the end of an owner is one of this run, or has come since this process looks on: those of earlier
        runs are forgiven.
        """
        assert self._before is not None
        return owner.run == self.me.run or (owner.run != "" and name not in self._before)

    def _owner(self, name: str) -> Identity | None:
        """Whose a claim is; None where it is gone by now. It is read each time, since its name may come again."""
        try:
            text = content_of(self._folder / name).decode()
            if text not in self._owners:
                self._owners[text] = Identity.model_validate_json(text)
            return self._owners[text]
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return unknown(name)

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
            aside = self._folder / f".{self.me.worker}"
            try:
                if not self._is_written:
                    self._folder.mkdir(parents=True, exist_ok=True)
                    aside.write_text(self.me.model_dump_json(), encoding="utf-8")  # nobody reads it under this name
                    self._is_written = True
                os.link(aside, self._folder / name)
                return True
            except FileExistsError:
                return self._is_mine(name)
            except OSError:
                self._is_written = aside.exists()  # one that takes this process for gone sweeps it away
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
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(self.me.model_dump_json())
        except OSError:
            (self._folder / name).unlink(missing_ok=True)  # it would keep others waiting
            raise
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
        self._are_abandoned = True
        self._forget_text()

    def close(self) -> None:
        """Let go of everything: also of a claim that was made, or about to be removed, when the process was asked to
        end, and that nobody has noted.
        """
        self.release(list(self._mine), over=False)
        for name in [] if self._are_abandoned else self._names():
            if self._is_mine(name):
                with suppress(OSError):
                    (self._folder / name).unlink(missing_ok=True)
        self._forget_text()

    def _forget_text(self) -> None:
        self._is_written = False
        with suppress(OSError):
            (self._folder / f".{self.me.worker}").unlink(missing_ok=True)


def clear_up(store: Store, watch: Watch) -> None:
    """Sweep what workers that are gone left, their claims on finished cells too: what a run with nothing to do does."""
    watch.sweep()
    claims = Claims(store.path, new_identity(), watch)
    held = claims.held()
    claims.forget([cell_id for cell_id in held if store.is_done(cell_id)], held)
