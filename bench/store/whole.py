"""Whether what stands in a results folder is what was written: all of it, read to the last byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from bench.errors import UsageError
from bench.store.checksums import RECORD, digest
from bench.store.files import json_of, read_bytes
from bench.store.formats import FORMAT, OtherFormat
from bench.store.reading import read_record
from bench.store.record import Record
from bench.store.seal import Spoiled, is_sealed
from bench.writing import mark

PART = 64  # folders that a thread is given at once
THREADS = 2  # hashing holds no lock, and reading waits for a disk; of small files more would wait for each other


def fault(folder: Path) -> UsageError | None:
    """What is wrong with a finished cell's folder. Files that somebody removed are not; what a later version wrote
    cannot be told.

    A record of this version whose checksum is right is taken for what we wrote, whatever it says.
    """
    path = folder / RECORD
    try:
        content = read_bytes(path)
        raw = json_of(content, path, dict)
        is_ours = is_sealed(content, path) and (raw.get("format"), raw.get("id")) == (FORMAT, folder.name)
        files = raw["files"] if is_ours else read_record(path, folder.name).files
        return next(file_faults(folder, files), None)
    except OtherFormat:
        return None
    except UsageError as error:
        return error


class BrokenCells:
    """Those of some finished cells' folders that are not what was written, when they were looked at."""

    def __init__(self, folders: Iterable[Path]) -> None:
        ordered = list(folders)
        parts = [ordered[at : at + PART] for at in range(0, len(ordered), PART)]
        with ThreadPoolExecutor(THREADS) as threads:
            looked = zip(ordered, chain.from_iterable(threads.map(_looked_at, parts)), strict=True)
            self._found = {folder: (seen, wrong) for folder, (seen, wrong) in looked if wrong is not None}

    def __bool__(self) -> bool:
        return bool(self._found)

    def holds(self, folder: Path) -> bool:
        """Whether a folder is one of them, and no other has taken its place."""
        return folder in self._found and mark(folder) == self._found[folder][0]

    def standing(self) -> dict[Path, UsageError]:
        """Those that are still there, with what is wrong."""
        return {folder: wrong for folder, (_, wrong) in self._found.items() if self.holds(folder)}


def _looked_at(folders: Iterable[Path]) -> list[tuple[str | None, UsageError | None]]:
    """Of each folder its mark, before it is read, and what is wrong with it."""
    return [(mark(folder), fault(folder)) for folder in folders]


def file_faults(folder: Path, files: Mapping[str, str]) -> Iterator[UsageError]:
    """The files of a finished cell that are not what was written, `files` being its record's."""
    for name, known in files.items():
        path = f"{folder}/{name}"
        try:
            if digest(path) != known:
                yield Spoiled(f"{path} is not what was written: its checksum is another one")
        except FileNotFoundError:
            continue
        except OSError as error:
            yield UsageError(f"{path} cannot be read ({error.strerror or error})")


def gone_files(record: Record, folder: Path) -> list[Path]:
    """The files of a cell that were written and are not there: somebody removed them."""
    return [folder / name for name in record.files if not (folder / name).exists()]
