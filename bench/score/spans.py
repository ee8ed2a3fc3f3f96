"""Spans of BIO tags and their F1, as the CoNLL evaluation (conlleval) counts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

Tags = Sequence[str]
Span = tuple[int, int, str]  # first word, last word, type


def spans(tags: Tags) -> list[Span]:
    """Spans in a BIO tag sequence. An I- that follows no tag of its type begins one (as conlleval reads it)."""
    found: list[Span] = []
    start: int | None = None
    for at, (before, tag) in enumerate(pairwise(["O", *tags, "O"])):
        prefix, _, kind = tag.partition("-")
        continues = prefix == "I" and before != "O" and before.partition("-")[2] == kind
        if start is not None and not continues:
            found.append((start, at - 1, before.partition("-")[2]))
            start = None
        if prefix != "O" and not continues:
            start = at
    return found


def span_f1(gold: Iterable[Tags], found: Iterable[Tags], leave_out: frozenset[str] = frozenset()) -> float:
    """Micro-averaged F1, from 0 to 100, of spans with type and both borders right; `leave_out` are types not counted.

    Sentences pair up in order. With no span on either side it is 100.
    """
    right = num_gold = num_found = 0
    for gold_tags, found_tags in zip(gold, found, strict=True):
        gold_spans, found_spans = (
            {span for span in spans(tags) if span[2] not in leave_out} for tags in (gold_tags, found_tags)
        )
        right += len(gold_spans & found_spans)
        num_gold += len(gold_spans)
        num_found += len(found_spans)
    return 200 * right / (num_gold + num_found) if num_gold + num_found else 100.0
