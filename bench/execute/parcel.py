"""The files of a finished cell in pieces that go from one machine to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PIECE = 16 << 20  # bytes; tuned weights of a large model are many of them, and none has to be whole in memory


@dataclass(frozen=True)
class Piece:
    """Some bytes of a file called `name`, from `start` on; `of` is the cell's id, or "examples"."""

    of: str
    name: str
    start: int
    content: bytes


def pieces(of: str, path: Path) -> Iterator[Piece]:
    """A file's pieces in their order; of an empty one a single empty piece."""
    start = 0
    with path.open("rb") as file:
        while (content := file.read(PIECE)) or not start:
            yield Piece(of, path.name, start, content)
            if not content:
                return
            start += len(content)
