"""The grids that were asked for of a results folder. A plan's file is called by what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.files import json_of, read_bytes
from bench.store.foreign import odd_names
from bench.store.reading import Broken, KnownCells, leaving_out
from bench.store.seal import Spoiled
from bench.writing import write_text

DIGITS = 16  # of the SHA-256 of a file, which are its name


def plan_files(folder: Path) -> list[Path]:
    """The plans of a results folder, the one that was written last at the end."""
    return sorted(folder.glob("plans/*.json"), key=written)


def written(path: Path) -> int:
    """When a file was written, in nanoseconds; of a link that leads nowhere, 0."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def keep_plan(folder: Path, cells: Iterable[Cell], aside: Path) -> None:
    """Note a grid; the same grid twice is one file, as new as the last time. UsageError for a cell with a name that
    no file can have.
    """
    cells = list(cells)
    for cell in cells:
        for odd in odd_names(cell):
            raise UsageError(f"a cell cannot be measured: {odd}; choose a name that a file can have")
    # a cell a line: with an indent Python's own encoder would write it, ten times as slowly
    content = "[\n" + ",\n".join(json.dumps(cell.model_dump(mode="json")) for cell in cells) + "\n]\n"
    write_text(folder / "plans" / f"{_name(content.encode())}.json", content, aside)


def planned_cells(folder: Path, broken: Broken | None = None, known: KnownCells | None = None) -> list[Cell]:
    """Every cell of every grid, each once in each suite; of several choices the latest, and never one that still waits
    for its trials in the place of one that they have made: a copy of a folder may have lost the times of its files.

    A file that is not what was written, and a cell that cannot be measured, is a UsageError; with `broken` it is left
    out, and `broken` gets the error. They are `known` afterwards.
    """
    cells: dict[Hashable, Cell] = {}
    known = KnownCells() if known is None else known  # the plan of a run that goes on has those of the one before
    for path in plan_files(folder):
        with leaving_out(broken):
            for raw in read_plan(path):
                with leaving_out(broken):
                    cell = known.read(raw, path)
                    key = cell.choice if cell.tried else (cell.id, cell.suite)
                    if key not in cells or cell.drawn or not cells[key].drawn:
                        cells[key] = cell
    return list(cells.values())


def read_plan(path: Path) -> list[Any]:
    """The cells of a plan as JSON. UsageError where the file is not what was written."""
    content = read_bytes(path)
    raw = json_of(content, path, list)
    if _name(content) != path.stem:
        said = "its checksum is another one than its name; run its grid again, and delete it"
        raise Spoiled(f"{path} is not what was written: {said}")
    return raw


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
