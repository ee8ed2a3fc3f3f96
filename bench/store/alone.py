"""What a cell costs when it trains alone, measured for cells that shared a loop: a small file each, beside the records.

A loop's time and memory are those of all its cells, and a record has a part of the one and the whole of the other. A
record is never changed, so that what is measured afterwards stands by itself. It is of a cell whatever its seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.files import on_disk
from bench.store.record import Part
from bench.writing import write_text


class Alone(Part):
    """Seconds and bytes of a cell's training and evaluations, alone in a loop, on a device of this name.

    The first `steps` of `num_steps` were run, and the others reckoned to take what the last of these took.
    """

    format: Literal[1] = 1
    key: str  # of the cell: see `alone_key`
    device: str
    steps: int = Field(ge=0)
    num_steps: int = Field(ge=0)
    train_seconds: float = Field(ge=0, allow_inf_nan=False)
    evaluate_seconds: float = Field(ge=0, allow_inf_nan=False)
    peak_bytes: int = Field(ge=0)  # of the process (CPU) or of the allocator (GPU), as in a record
    measured: str  # ISO 8601, UTC


def alone_key(cell: Cell) -> str:
    """What cells have in common that differ by their seeds: 16 hex digits, as the id of a cell with the seed 0."""
    return cell.changed(seed=0, streams={}).id


def keep_alone(folder: Path, measured: Alone) -> None:
    """Write a measurement into a results folder. A full disk is a UsageError."""
    with on_disk(folder):
        write_text(folder / "alone" / f"{measured.key}.json", measured.model_dump_json(indent=1) + "\n")


def kept_alone(folder: Path) -> tuple[dict[str, Alone], list[UsageError]]:
    """The measurements that a results folder keeps, by key, and why the other files there cannot be read."""
    found, problems = {}, []
    for path in sorted(folder.glob("alone/*.json")):
        try:
            measured = Alone.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            problems.append(UsageError(f"{path} cannot be read: {error}"))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            problems.append(UsageError(f"{path} is no measurement that can be read here: {where}: {first['msg']}"))
        else:
            if measured.key == path.stem:
                found[measured.key] = measured
            else:
                problems.append(UsageError(f"{path} is of another cell, {measured.key}: it was renamed"))
    return found, problems
