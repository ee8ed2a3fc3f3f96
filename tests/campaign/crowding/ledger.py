"""What processes say they do, a line at a time in one file, and whether two of them did the same."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.runner import Runner
from bench.store.checksums import RECORD
from bench.store.examples import examples_key
from bench.store.record import Record
from bench.store.store import Store
from bench.train.groups import Group
from tests.campaign.long_grid import files_of


class Ledger:
    """A file of lines `WORD PROCESS CELL MARK`: who began a cell, wrote it (with the inode of the record that stood
    then), gave it up; and whom the campaign killed.

    A line is one write to the end of the file: all come in the order in which things happened, as far as that can be
    told. A kill is noted before it falls, so that nobody who takes over can be earlier.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, word: str, process: int, cell_id: str = "-", mark: int = 0) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(handle, f"{word} {process} {cell_id} {mark}\n".encode())
        os.close(handle)

    def lines(self) -> list[tuple[str, int, str, int]]:
        text = self.path.read_text().splitlines() if self.path.exists() else []
        return [(word, int(process), cell_id, int(mark)) for word, process, cell_id, mark in map(str.split, text)]

    def replaced(self) -> list[str]:
        """Cells of which another record stood at a later writing."""
        marks: dict[str, set[int]] = {}
        for word, _, cell_id, mark in self.lines():
            if word == "wrote":
                marks.setdefault(cell_id, set()).add(mark)
        return [cell_id for cell_id, of_cell in marks.items() if len(of_cell) > 1]

    def at_work(self) -> set[int]:
        """The processes that have begun a cell and not written it."""
        holders: dict[str, int] = {}
        for word, process, cell_id, _ in self.lines():
            if word == "began":
                holders[cell_id] = process
            else:
                holders.pop(cell_id, None)
        return set(holders.values())

    def again(self) -> list[str]:
        """Cells that were begun while another living process was at them, or when they had been written."""
        holders: dict[str, int] = {}
        written, dead, found = set[str](), set[int](), []
        for word, process, cell_id, _ in self.lines():
            if word == "killed":
                dead.add(process)
            elif word == "wrote":
                found += [f"{cell_id} was written again"] if cell_id in written else []
                written.add(cell_id)
            elif word == "began":
                holder = holders.get(cell_id, process)
                found += [f"{cell_id} was begun when it was written"] if cell_id in written else []
                found += [f"{cell_id} was at two processes"] if holder != process and holder not in dead else []
                holders[cell_id] = process
            elif word == "failed":
                holders.pop(cell_id, None)
        return found

    def keep(self) -> Callable[[], None]:
        """Have the process that is called note what it does."""

        def begin() -> None:
            measure, write = Runner.measure, Store.write

            def measured(self_: Runner, group: Group) -> Any:
                for resolved in group.cells:
                    self.note("began", os.getpid(), resolved.cell.id)
                return measure(self_, group)

            def written(self_: Store, record: Record, *rest: Any, **named: Any) -> None:
                write(self_, record, *rest, **named)
                if record.status == "done":
                    self.note("wrote", os.getpid(), record.id, (self_.cell_folder(record.id) / RECORD).stat().st_ino)
                else:
                    self.note("failed", os.getpid(), record.id)

            Runner.measure, Store.write = measured, written  # type: ignore[method-assign]

        return begin


def copying(originals: Sequence[Path], seconds: float) -> Callable[[], None]:
    """Have the process that is called write what one of these folders has of a cell instead of training it so long."""

    def begin() -> None:
        stores = [Store.open(original) for original in originals]

        def measured(self_: Runner, group: Group) -> Any:
            for resolved in group.cells:
                time.sleep(seconds)
                cell = resolved.cell
                known = next(store for store in stores if store.is_done(cell.id))
                (record,) = known.records_of([cell.id]).values()
                if cell.stage == "score":
                    key = examples_key(cell)
                    kept = known.examples_file(key)
                    assert kept is not None
                    self_.store.write_examples(key, partial(shutil.copyfile, kept))
                record = record.model_copy(update={"files": {}}, deep=True)
                self_.store.write(record, files_of(known, cell.id))
                yield record

        Runner.measure = measured  # type: ignore[method-assign]

    return begin
