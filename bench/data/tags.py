"""Tag schemes: IOB1, IOB2, BIOES and BILOU become BIO (IOB2), read as the CoNLL evaluation (conlleval) reads them.

A tag is `O`, or a mark and a type divided by the first dash: `B-PER`, `I-C-ARG1`. An entity begins at B and S (U), at
any other mark after O, after E (L) or S (U), or after another type, and it goes on at every other (Tjong Kim Sang &
De Meulder 2003, section 3; conlleval's start and end of a chunk). That is the same in every scheme; where a tag is not
what its own scheme would have there, it is a repair. The scheme is the file's: with E, S, L or U it is BIOES (BILOU),
else IOB1 or IOB2, whichever has fewer such tags, IOB2 where they have equally many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from bench.data.tally import Tally
from bench.errors import UsageError

OUTSIDE = "O"
_START = ""  # stands before a sentence's first tag and after its last
_TO_BIOES = {"L": "E", "U": "S"}  # BILOU's last and unit
Tag = tuple[str, str]  # mark, in BIOES, and type
Place = Callable[[int, int], str]  # where word w of sentence s stands
Breaks = Callable[[Tag, Tag], bool]
AS_CONLLEVAL = "read as conlleval reads it"
STRAY_B = f"a B- that begins an entity in IOB1, where I- would ({AS_CONLLEVAL})"
STRAY_I = f"an I- that begins an entity in IOB2, where B- would ({AS_CONLLEVAL})"
STRAY = f"a tag that cannot follow the one before it in {{}} ({AS_CONLLEVAL})"
BOTH = "a file with marks of BIOES and of BILOU (S and U, E and L are one)"


def to_bio(sentences: Sequence[Sequence[str]], place: Place, repaired: Tally) -> list[list[str]]:
    """The sentences of a file in BIO; repairs are counted. UsageError names the place of what is no tag."""
    divided: dict[str, Tag] = {_START: (OUTSIDE, "")}
    marks: set[str] = set()
    for number, tags in enumerate(sentences):
        for at, tag in enumerate(tags):
            if tag not in divided:
                divided[tag] = _divided(tag, lambda number=number, at=at: place(number, at))  # type: ignore[misc]
                marks.add(tag[0])
    pairs = Counter(pair for tags in sentences for pair in pairwise((_START, *tags, _START)))
    if {"L", "U"} & marks and {"E", "S"} & marks:
        repaired.note(BOTH, place(0, 0))
    reason, breaks = _scheme(marks, pairs, divided)
    broken = {pair for pair in pairs if breaks(divided[pair[0]], divided[pair[1]])}
    if broken:
        _note(sentences, broken, place, reason, repaired)
    in_bio = {pair: _bio(divided[pair[0]], divided[pair[1]]) for pair in pairs}
    if all(in_bio[pair] == pair[1] for pair in pairs if pair[1]):
        return [list(tags) for tags in sentences]
    return [[in_bio[pair] for pair in pairwise((_START, *tags))] for tags in sentences]


def _divided(tag: str, place: Callable[[], str]) -> Tag:
    mark, dash, kind = tag.partition("-")
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if mark not in ("B", "I", "E", "S", "L", "U") or not dash or not kind:
        raise UsageError(f"{place()}: {tag!r} is no tag; expected O, or one of B I E S L U, a dash and a type")
    return _TO_BIOES.get(mark, mark), kind


def _begins(before: Tag, tag: Tag) -> bool:
    """conlleval's rule."""
    return tag[0] != OUTSIDE and (tag[0] in "BS" or before[0] in "OES" or before[1] != tag[1])


def _bio(before: Tag, tag: Tag) -> str:
    if tag[0] == OUTSIDE:
        return OUTSIDE
    return f"{'B' if _begins(before, tag) else 'I'}-{tag[1]}"


def _scheme(marks: set[str], pairs: Counter[tuple[str, str]], divided: dict[str, Tag]) -> tuple[str, Breaks]:
    """What to say of the tags that the file's scheme would not have after the one before, and which they are."""
    if marks & set("ESLU"):
        return STRAY.format("BIOES" if marks & set("ES") else "BILOU"), _breaks_bioes
    counts = [
        sum(count for (before, tag), count in pairs.items() if breaks(divided[before], divided[tag]))
        for breaks in (_breaks_iob2, _breaks_iob1)
    ]
    return (STRAY_I, _breaks_iob2) if counts[0] <= counts[1] else (STRAY_B, _breaks_iob1)


def _breaks_iob1(before: Tag, tag: Tag) -> bool:
    """In IOB1 an entity begins with I-, and with B- only where one of its type stands right before it."""
    return tag[0] == "B" and before[1] != tag[1]


def _breaks_iob2(before: Tag, tag: Tag) -> bool:
    return tag[0] == "I" and before[1] != tag[1]


def _breaks_bioes(before: Tag, tag: Tag) -> bool:
    """After B and I comes I or E of their type; neither comes after anything else."""
    inside, goes_on = before[0] in "BI", tag[0] in "IE"
    return inside != goes_on or (inside and before[1] != tag[1])


def _note(
    sentences: Sequence[Sequence[str]], broken: set[tuple[str, str]], place: Place, reason: str, repaired: Tally
) -> None:
    for number, tags in enumerate(sentences):
        for at, pair in enumerate(pairwise((_START, *tags, _START))):
            if pair in broken:
                repaired.note(reason, place(number, min(at, len(tags) - 1)))
