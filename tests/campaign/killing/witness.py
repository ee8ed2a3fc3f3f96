"""What must be true of a results folder whatever was killed: looked at after every kill, beside an undisturbed run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from safetensors.torch import load_file

from bench import runner
from bench.store.record import Record
from bench.store.store import Store

MEASURED = {"scores", "trivial", "selection_score", "selected_step", "curve", "counts", "parameters"}
LEFT = ("workers", "claims", ".partial")  # rooms that nobody has anything in when nobody is at work
HELD = ("claims", "workers", "failed")  # rooms to which a run that was asked to end has added nothing
GIVEN_UP = "workers ended while they trained it"  # of a cell under which others were killed before
KINDS = ("lost", "half", "twice", "replaced", "other bits", "left behind", "held", "said")


def bits(folder: Path, record: Record) -> str:
    """Everything that was measured of a finished cell, in a digest; an error where a file cannot be read."""
    place, digest = folder / "cells" / record.id, hashlib.sha256()
    digest.update(json.dumps(record.model_dump(mode="json", include=MEASURED), sort_keys=True).encode())
    if record.cell.stage == "score":
        digest.update(repr(pq.read_table(place / "predictions.parquet").to_pylist()).encode())
        for name, tensor in sorted(load_file(place / "tuned.safetensors").items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def standing(folder: Path, cell_id: str) -> dict[str, tuple[int, int, str]]:
    """By file of a cell's folder its inode, last change and content."""
    found = {}
    for path in sorted((folder / "cells" / cell_id).iterdir()):
        status = path.stat()
        found[path.name] = (status.st_ino, status.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


@dataclass
class Witness:
    """Of one folder: what it has seen finished, and what broke, by kind. `expected` are an undisturbed run's bits;
    `possible` those of cells that may be there too (Grid.chosen_otherwise).
    """

    folder: Path
    diary: Path
    expected: dict[str, str]
    possible: dict[str, str] = field(default_factory=dict)
    finished: dict[str, dict[str, tuple[int, int, str]]] = field(default_factory=dict)
    broken: list[tuple[str, str]] = field(default_factory=list)
    known: int = 0  # lines of the diary that were read
    _held: set[str] = field(default_factory=set)

    def look(self) -> None:
        """After a kill, or an end."""
        if not (self.folder / "store.json").exists():
            return
        before = set(self.finished)
        done = Store.open(self.folder).done()
        self._say("lost", sorted(before - done))
        half = [path.name for path in Store.open(self.folder).half_written()]
        self._say("half", half)
        for cell_id in sorted(done):
            now = standing(self.folder, cell_id)
            if cell_id not in before:
                self._say("half" if self._bits(cell_id) is None else "other bits", self._differs(cell_id))
            elif now != self.finished[cell_id]:
                self._say("replaced", [cell_id])
            self.finished[cell_id] = now
        self._read_diary(before)

    def _bits(self, cell_id: str) -> str | None:
        try:
            (record,) = Store(self.folder).records_of([cell_id]).values()
            return bits(self.folder, record) if record.status == "done" else None
        except Exception:  # whatever it is, the cell cannot be read
            return None

    def _differs(self, cell_id: str) -> list[str]:
        return [cell_id] if self._bits(cell_id) != (self.possible | self.expected).get(cell_id) else []

    def _read_diary(self, before: set[str]) -> None:
        """Nothing is trained, or written, that was finished before."""
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        written = before | {line.split()[1] for line in lines[: self.known] if line.startswith("wrote")}
        for line in lines[self.known :]:
            word, cell_id = line.split()
            self._say("twice", [f"{word} {cell_id}"] if cell_id in written else [])
            if word == "wrote":
                written.add(cell_id)
        self.known = len(lines)

    def look_at_end(self) -> None:
        """After a run, and a report, that ended by themselves, with nothing left to do."""
        self.look()
        self._say("lost", sorted(self.expected.keys() - self.finished.keys()))
        rooms = [path for room in LEFT for path in self.folder.glob(f"{room}/*")]
        aside = [path for path in self.folder.rglob(".*") if path.name != ".partial"]
        self._say("left behind", sorted({str(path.relative_to(self.folder)) for path in (*rooms, *aside)}))

    def note_held(self) -> None:
        """Before a request: what earlier kills have left."""
        self._held = self._in_rooms()

    def look_after_request(self) -> None:
        self._say("held", sorted(self._in_rooms() - self._held))

    def _in_rooms(self) -> set[str]:
        rooms = (path for room in HELD for path in self.folder.glob(f"{room}/*"))
        return {str(path.relative_to(self.folder)) for path in rooms
                if path.parent.name != "failed" or GIVEN_UP not in path.read_text()}  # fmt: skip

    def say(self, what: str) -> None:
        self._say("said", [what])

    def _say(self, kind: str, what: list[str]) -> None:
        self.broken += [(kind, each) for each in what]


def keep_diary(path: Path) -> Callable[[], None]:
    """Note in a file which cells a process begins to train and which it has written, as it happens."""

    def note(word: str, cell_id: str) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(handle, f"{word} {cell_id}\n".encode())
        os.close(handle)

    def arm() -> None:
        fit, write = runner.fit, Store.write

        def fitted(backbone: Any, lanes: Any, *rest: Any) -> Any:
            for lane in lanes:
                note("began", lane.cell.id)
            return fit(backbone, lanes, *rest)

        def written(self: Store, record: Record, *rest: Any, **named: Any) -> None:
            write(self, record, *rest, **named)
            if record.status == "done":
                note("wrote", record.id)

        runner.fit, Store.write = fitted, written  # type: ignore[assignment, method-assign]

    return arm
