"""Tag schemes: IOB1, IOB2, BIOES and BILOU become BIO (IOB2), the scheme being found from a whole split.

A tag is `O`, or a mark and a type divided by the first dash: `B-PER`, `I-C-ARG1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bench.errors import UsageError

OUTSIDE = "O"
_TO_BIOES = {"L": "E", "U": "S"}  # BILOU's last and unit
Sentences = Sequence[Sequence[str]]


def to_bio(sentences: Sentences, places: Sequence[str]) -> list[list[str]]:
    """Every sentence in BIO. UsageError names the place of the first tag that its scheme does not allow."""
    split = [[_divided(tag, place) for tag in tags] for tags, place in zip(sentences, places, strict=True)]
    marks = {mark for tags in split for mark, _ in tags}
    if marks & set("LU") and marks & set("ES"):
        raise UsageError(f"tags mix BIOES with BILOU: {', '.join(sorted(marks))} are all in one split")
    if marks & set("LUES"):
        scheme = "BILOU" if marks & set("LU") else "BIOES"
        return [_from_bioes(tags, place, scheme) for tags, place in zip(split, places, strict=True)]
    broken = _first(split, places, _breaks_iob2)
    if broken is None:
        return [[_joined(*tag) for tag in tags] for tags in split]
    wrong = _first(split, places, _breaks_iob1)
    if wrong is not None:
        raise UsageError(
            f"tags are neither IOB2 ({broken} does not continue its type) nor IOB1 ({wrong} begins nothing)"
        )
    return [_from_iob1(tags) for tags in split]


Tag = tuple[str, str]  # mark and type


def _divided(tag: str, place: str) -> Tag:
    mark, dash, kind = tag.partition("-")
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if mark not in ("B", "I", "E", "S", "L", "U") or not dash or not kind:
        raise UsageError(f"{place}: {tag!r} is no tag; expected O, or one of B I E S L U, a dash and a type")
    return mark, kind


def _joined(mark: str, kind: str) -> str:
    return f"{mark}-{kind}" if kind else OUTSIDE


def _breaks_iob2(before: Tag, tag: Tag) -> bool:
    return tag[0] == "I" and before[1] != tag[1]


def _breaks_iob1(before: Tag, tag: Tag) -> bool:
    return tag[0] == "B" and before[1] != tag[1]


def _first(split: Sequence[Sequence[Tag]], places: Sequence[str], breaks: object) -> str | None:
    """The first tag that breaks a rule between neighbours, with its place."""
    assert callable(breaks)
    for tags, place in zip(split, places, strict=True):
        for before, tag in pairwise([(OUTSIDE, ""), *tags]):
            if breaks(before, tag):
                return f"{_joined(*tag)} at {place}"
    return None


def _from_iob1(tags: Sequence[Tag]) -> list[str]:
    """In IOB1 an entity begins with I-, and with B- only where one of its type stands right before it."""
    found = []
    for before, (mark, kind) in pairwise([(OUTSIDE, ""), *tags]):
        begins = mark == "B" or before[1] != kind
        found.append(_joined("B" if begins else "I", kind))
    return found


def _from_bioes(tags: Sequence[Tag], place: str, scheme: str) -> list[str]:
    """B I … E and S, strictly: whatever is begun must be ended."""
    found = []
    inside = ""
    for at, (own, kind) in enumerate([*tags, (OUTSIDE, "")]):
        mark = _TO_BIOES.get(own, own)
        if (inside or mark in "IE") and (mark not in "IE" or kind != inside):
            shown = _joined(own, kind) if at < len(tags) else "the sentence's end"
            before = f"inside of {inside}" if inside else "outside of any span"
            raise UsageError(f"{place}: {shown} (word {at}) stands {before}, which {scheme} does not allow")
        found.append(_joined("B" if mark in "BS" else "I", kind))
        inside = kind if mark in "BI" else ""
    return found[:-1]
