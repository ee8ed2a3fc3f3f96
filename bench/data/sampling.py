"""Some of more rows than can be held: drawn as they go by, each with the same chance, and always the same."""

from __future__ import annotations

import random
from collections.abc import Iterable

from bench.data.located import Located
from bench.seeds import derive


def drawn(rows: Iterable[Located], most: int | None) -> tuple[list[Located], int]:
    """At most so many of the rows, in their order, and how many there are (Vitter 1985, algorithm R)."""
    stream = random.Random(derive("drawn rows"))
    kept: list[tuple[int, Located]] = []
    count = 0
    for row in rows:
        count += 1
        if most is None or len(kept) < most:
            kept.append((count, row))
        elif (place := int(stream.random() * count)) < most:  # randrange() takes five times as long
            kept[place] = (count, row)
    return [row for _, row in sorted(kept, key=lambda pair: pair[0])], count
