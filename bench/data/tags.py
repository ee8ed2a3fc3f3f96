"""Tag schemes: IOB1, IOB2, BIOES and BILOU become BIO (IOB2), the scheme being found from a whole split.

A tag is `O`, or a mark and a type divided by the first dash: `B-PER`, `I-C-ARG1`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from bench.errors import UsageError

OUTSIDE = "O"
_START = ""  # stands before a sentence's first tag
_TO_BIOES = {"L": "E", "U": "S"}  # BILOU's last and unit
Sentences = Sequence[Sequence[str]]
Tag = tuple[str, str]  # mark and type


def to_bio(sentences: Sentences, places: Sequence[str]) -> list[list[str]]:
    """Every sentence in BIO. UsageError names the place of the first tag that its scheme does not allow."""
    divided: dict[str, Tag] = {}
    first: dict[str, str] = {}  # mark -> the tag it was first seen in, and where
    for tags, place in zip(sentences, places, strict=True):
        for tag in tags:
            if tag not in divided:
                divided[tag] = _divided(tag, place)
                first.setdefault(divided[tag][0], f"{tag!r} at {place}")
    bilou, bioes = (next((first[mark] for mark in first if mark in marks), None) for marks in ("LU", "ES"))
    if bilou and bioes:
        raise UsageError(f"tags mix BILOU ({bilou}) with BIOES ({bioes}); a split has one scheme")
    if bilou or bioes:
        scheme = "BILOU" if bilou else "BIOES"
        split = ([divided[tag] for tag in tags] for tags in sentences)
        return [_from_bioes(tags, place, scheme) for tags, place in zip(split, places, strict=True)]
    pairs = _neighbours(sentences, places)
    divided[_START] = (OUTSIDE, "")
    not_iob2 = _first(pairs, divided, lambda before, tag: tag[0] == "I" and before[1] != tag[1])
    if not_iob2 is None:
        return [list(tags) for tags in sentences]
    not_iob1 = _first(pairs, divided, lambda before, tag: tag[0] == "B" and before[1] != tag[1])
    if not_iob1 is not None:
        raise UsageError(f"{not_iob2}, which IOB2 does not allow; nor are the tags IOB1: {not_iob1}")
    return [_from_iob1([divided[tag] for tag in tags]) for tags in sentences]


def _divided(tag: str, place: str) -> Tag:
    mark, dash, kind = tag.partition("-")
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if mark not in ("B", "I", "E", "S", "L", "U") or not dash or not kind:
        raise UsageError(f"{place}: {tag!r} is no tag; expected O, or one of B I E S L U, a dash and a type")
    return mark, kind


def _joined(mark: str, kind: str) -> str:
    return f"{mark}-{kind}" if kind else OUTSIDE


def _neighbours(sentences: Sentences, places: Sequence[str]) -> dict[tuple[str, str], str]:
    """Each pair of neighbouring tags, and where it stands first. A million tags have only some hundreds of pairs."""
    pairs: dict[tuple[str, str], str] = {}
    for tags, place in zip(sentences, places, strict=True):
        for pair in pairwise((_START, *tags)):
            pairs.setdefault(pair, place)
    return pairs


def _first(
    pairs: dict[tuple[str, str], str], divided: dict[str, Tag], breaks: Callable[[Tag, Tag], bool]
) -> str | None:
    """The first pair that breaks a rule between neighbours, with its place."""
    for (before, tag), place in pairs.items():
        if breaks(divided[before], divided[tag]):
            return f"{place}: {tag} {f'follows {before}' if before else 'begins a sentence'}"
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
            shown = f"{_joined(own, kind)} (word {at})" if at < len(tags) else "the sentence's end"
            before = f"inside of {inside}" if inside else "outside of any span"
            raise UsageError(f"{place}: {shown} stands {before}, which {scheme} does not allow")
        found.append(_joined("B" if mark in "BS" else "I", kind))
        inside = kind if mark in "BI" else ""
    return found[:-1]
