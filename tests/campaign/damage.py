"""What can happen to the bytes of a file, and what the program's own readers say of each."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.predicting.restored import kept_tensors
from bench.store.alone import kept_alone
from bench.store.checksums import checked_bytes
from bench.store.declarations import kept_suites
from bench.store.examples import all_spoiled_examples, kept_examples
from bench.store.plans import read_plan
from bench.store.reading import read_record
from bench.store.store import Store

SECTOR = 512


@dataclass(frozen=True)
class Target:
    """A file of a results folder, what kind of file it is, and how the program reads it: what it says of a damage, or
    None where it takes the file for whole.
    """

    kind: str
    path: Path
    says: Callable[[], str | None]


def targets(folder: Path) -> list[Target]:
    """Every file of a finished results folder."""
    found = [Target("mark", folder / "store.json", _raising(lambda: Store.open(folder)))]
    for path in sorted(folder.rglob("*")):
        target = _target(folder, path) if path.is_file() and path.name != "store.json" else None
        found += [target] if target else []
    return found


def _target(folder: Path, path: Path) -> Target | None:
    part, store = path.relative_to(folder).parts[0], Store(folder)
    if path.name == "record.json":
        return Target("record", path, _raising(lambda: read_record(path, path.parent.name)))
    if path.name == "predictions.parquet":
        return Target("predictions", path, _raising(lambda: checked_bytes(path)))
    if path.name == "tuned.safetensors":
        return Target("tensors", path, _raising(lambda: kept_tensors(store, path.parent.name)))
    readers: dict[str, Callable[[], str | None]] = {
        "failed": _raising(lambda: read_record(path, path.stem)),
        "plans": _raising(lambda: read_plan(path)),
        "suites": lambda: next(map(str, kept_suites(folder)[1]), None),
        "alone": lambda: next(map(str, kept_alone(folder)[1]), None),
        "examples": lambda: _of_examples(folder, path),
    }
    return Target(part, path, readers[part]) if part in readers else None


def _of_examples(folder: Path, path: Path) -> str | None:
    said = next(map(str, all_spoiled_examples(folder)), None)
    assert (said is None) == (kept_examples(folder, path.stem.partition("-")[0]) is not None)
    return said


def _raising(read: Callable[[], object]) -> Callable[[], str | None]:
    def says() -> str | None:
        try:
            read()
        except UsageError as error:
            return str(error)
        return None

    return says


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    """Within the block a file holds something else."""
    before, times = path.read_bytes(), path.stat()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # of two plans the later one counts


def flipped(content: bytes, bit: int) -> bytes:
    """The content with one bit turned."""
    changed_bytes = bytearray(content)
    changed_bytes[bit // 8] ^= 1 << bit % 8
    return bytes(changed_bytes)


def bits_of(content: bytes, most: int | None, rng: random.Random) -> list[int]:
    """Every bit of a content, or a drawn number of them."""
    bits = range(8 * len(content))
    return list(bits) if most is None or most >= len(bits) else sorted(rng.sample(bits, most))


def damages(content: bytes, rng: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    """What disks and people do beside: a name for each, and what is left. None leaves the content as it was."""
    kinds = (_cut, _zeroed, _byte, _digit, _doubled, _appended)
    made = 0
    while made < count:
        kind = kinds[made % len(kinds)]
        left = kind(content, rng)
        made += 1
        if left != content:
            yield kind.__name__.strip("_"), left


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _zeroed(content: bytes, rng: random.Random) -> bytes:
    """A sector that was never written."""
    start = rng.randrange(0, len(content), SECTOR)
    return content[:start] + bytes(min(SECTOR, len(content) - start)) + content[start + SECTOR :]


def _byte(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]


def _digit(content: bytes, rng: random.Random) -> bytes:
    """Another digit in the place of one: in JSON another number."""
    places = [place for place, byte in enumerate(content) if 48 <= byte < 58]
    place = rng.choice(places) if places else 0
    return content[:place] + str(rng.randrange(10)).encode() + content[place + 1 :]


def _doubled(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + content[max(0, place - rng.randrange(1, 50)) :]


def _appended(content: bytes, rng: random.Random) -> bytes:
    return content + rng.choice((b"\n", b"\0", b"}", content))
