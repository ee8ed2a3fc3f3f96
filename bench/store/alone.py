"""What a cell costs when it trains alone, measured for cells that shared a loop: a small file each, beside the records.

A loop's time and memory are those of all its cells, and a record has a part of the one and the whole of the other. A
record is never changed, so that what is measured afterwards stands by itself. It is of a cell whatever its seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.aside import place_of, write_in
from bench.store.files import content_of, on_disk
from bench.store.foreign import MOST_COUNTED, is_cost
from bench.store.formats import raise_mark
from bench.store.record import Part
from bench.store.seal import KEY, Spoiled, is_sealed, sealed
from bench.writing import write_text

FORMAT: Literal[2] = 2  # of what is written
SHARE = 0.1  # of a run's seconds, what measuring cells alone may add to it
LEAST = 1.0  # seconds, with less of which it is not begun


def _possible(seconds: float) -> float:
    if not is_cost(seconds):
        raise ValueError(f"{seconds:g} seconds are no time that something took")
    return seconds


Seconds = Annotated[float, AfterValidator(_possible)]


class Alone(Part):
    """Seconds and bytes of a cell's training and evaluations, alone in a loop, on a device of this name.

    The first `steps` of `num_steps` were run, and the others reckoned to take what the last of these took.
    """

    format: Literal[1, 2] = FORMAT  # those of 1 have no checksum
    key: str  # of the cell: see `alone_key`
    device: str
    steps: int = Field(ge=0, le=MOST_COUNTED)
    num_steps: int = Field(ge=0, le=MOST_COUNTED)
    train_seconds: Seconds
    evaluate_seconds: Seconds
    peak_bytes: int = Field(ge=0, le=MOST_COUNTED)  # of the process (CPU) or of the allocator (GPU), as in a record
    measured: str  # ISO 8601, UTC


def most_seconds(of_each_worker: float) -> float:
    """How long measuring alone may go on after a run that took so many seconds of each worker; 0.0: it is not begun."""
    seconds = SHARE * of_each_worker
    return seconds if seconds >= LEAST else 0.0


def alone_key(cell: Cell) -> str:
    """What cells have in common that differ by their seeds: 16 hex digits, as the id of a cell with the seed 0."""
    return cell.changed(seed=0, streams={}).id


def keep_alone(folder: Path, measured: Alone) -> None:
    """Write a measurement into a results folder. A full disk is a UsageError."""
    text = sealed(measured.model_copy(update={"format": FORMAT}).model_dump_json(indent=1))

    def write(place: Path) -> None:
        raise_mark(folder, place)
        write_text(folder / "alone" / f"{measured.key}.json", text, place)

    with on_disk(folder):
        write_in(place_of(folder), write)


def kept_alone(folder: Path) -> tuple[dict[str, Alone], list[UsageError]]:
    """The measurements that a results folder keeps, by key, and why the other files there cannot be read."""
    found: dict[str, Alone] = {}
    problems: list[UsageError] = []
    for path in sorted(folder.glob("alone/*.json")):
        try:
            measured = _read(path)
        except Spoiled as error:
            problems.append(error)
        except (OSError, UnicodeDecodeError) as error:
            problems.append(UsageError(f"{path} cannot be read: {error}"))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            problems.append(UsageError(f"{path} is no measurement that can be read here: {where}: {first['msg']}"))
        except (ValueError, RecursionError) as error:  # no JSON; a number of 5,000 digits
            problems.append(UsageError(f"{path} is no measurement that can be read here: {error}"))
        else:
            if measured.key == path.stem:
                found[measured.key] = measured
            else:
                problems.append(UsageError(f"{path} is of another cell, {measured.key}: it was renamed"))
    return found, problems


def _read(path: Path) -> Alone:
    content = content_of(path)
    fields = json.loads(content.decode())
    with_checksum = is_sealed(content, path)
    if with_checksum:
        del fields[KEY]
    measured = Alone.model_validate(fields)
    if with_checksum != (measured.format == FORMAT):
        raise Spoiled(f"{path} is not what was written: it has {'a' if with_checksum else 'no'} checksum")
    return measured
