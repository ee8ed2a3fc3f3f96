"""The files of a finished cell beside its record, read as they were written or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bench.store.files import content_of, pieces
from bench.store.record import Record
from bench.store.seal import Spoiled, is_sealed

RECORD = "record.json"


def digest(path: str | Path) -> str:
    """SHA-256 of a file, in hex digits. OSError for what cannot be read or is no file."""
    found = hashlib.sha256()
    for piece in pieces(path):
        found.update(piece)
    return found.hexdigest()


def checked_bytes(path: Path, record: Record | None = None) -> bytes:
    """What a file of a finished cell holds. Spoiled, without the cell's name, where that is not what was written.

    OSError where it cannot be read. Its checksum stands in the record beside it, which is `record` where somebody has
    read that already; one of format 3 has none.
    """
    content = content_of(path)
    known = _known(path) if record is None else _known_to(record, path.name)
    _compare(path.name, hashlib.sha256(content).hexdigest(), known)
    return content


def check_file(path: Path) -> None:
    """The same of a file that is too large to be held."""
    known = _known(path)
    if known is not None:
        _compare(path.name, digest(path), known)


def _known(path: Path) -> str | None:
    """The checksum that a file should have; None where its record is older than checksums."""
    record = path.with_name(RECORD)
    try:
        content = content_of(record)
        is_whole, raw = is_sealed(content, record), json.loads(content)
        files = raw["files"] if is_whole else {}
        if not is_whole and raw["format"] == 3:
            return None
        return str(files[path.name])
    except KeyError:
        raise _unknown(path.name) from None
    except (OSError, ValueError, TypeError, RecursionError):
        raise Spoiled(f"the record of {path.name} is not what was written") from None


def _known_to(record: Record, name: str) -> str | None:
    """The same, as a record that was read has it."""
    if record.format == 3:
        return None
    if name not in record.files:
        raise _unknown(name)
    return record.files[name]


def _unknown(name: str) -> Spoiled:
    return Spoiled(f"{name} is not what was written: the record has no checksum of it")


def _compare(name: str, found: str, known: str | None) -> None:
    if known is not None and found != known:
        raise Spoiled(f"{name} is not what was written: its checksum is another one")
