"""Spans of BIO tags, as the CoNLL evaluation (conlleval) counts them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Tags = Sequence[str]
Span = tuple[int, int, str]  # first word, last word, type


def spans(tags: Tags) -> list[Span]:
    """Spans in a BIO tag sequence. An I- that follows no tag of its type begins one (as conlleval reads it)."""
    chunks: list[Span] = []
    start: int | None = None
    for at, (before, tag) in enumerate(pairwise(["O", *tags, "O"])):
        if start is None and tag == "O":  # most words
            continue
        prefix, _, kind = tag.partition("-")
        continues = prefix == "I" and before != "O" and before.partition("-")[2] == kind
        if start is not None and not continues:
            chunks.append((start, at - 1, before.partition("-")[2]))
            start = None
        if prefix != "O" and not continues:
            start = at
    return chunks
