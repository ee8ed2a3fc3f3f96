"""A raw row and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Located:
    """A raw row and where it stands: `file:line`, `file[row]`, `repo/config split[row]` or `generated split[row]`.

    `repaired` says what the reader mended in it, or in the file before it: each is counted and told once. `lines` are
    the numbers of its words' own lines, where each word has one.
    """

    place: str
    fields: dict[str, Any]
    repaired: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()

    @property
    def source(self) -> str:
        """The file, or the split, that the row is of."""
        return self.place.rpartition("[" if self.place.endswith("]") else ":")[0]

    def of_word(self, at: int) -> str:
        """Where a word stands: its own line, or the row's place with the word's number in it, from 0."""
        return f"{self.source}:{self.lines[at]}" if at < len(self.lines) else f"{self.place} (word {at})"
