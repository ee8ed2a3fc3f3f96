"""Sentences of column files: plain ones, CoNLL-2012's `*_gold_conll` and CoNLL-2005's; brackets made BIO tags.

CoNLL-2012 (Pradhan et al. 2012): document, part, word number, word, part of speech, parse, lemma, frameset, sense,
speaker, entities, a column of arguments per predicate, coreference. CoNLL-2005 (Carreras & Màrquez 2005): word first,
a column of arguments per predicate last.
"""

from __future__ import annotations

import re

from suites.rows.fields import Row, texts

Column = list[str]
_DOCUMENT, _NUMBER, _WORD, _ENTITIES = 0, 2, 3, 10
_CELL = re.compile(r"(?:\(([^()*]+))?\*?(\))?")  # (A0*  *  *)  (V*)  (GPE)
_PREDICATE = "(V*"


def columns(row: Row) -> list[Column]:
    """The row's columns, each with a cell per word. ValueError when there are not at least two of one length."""
    found: list[Column] = [texts({"columns": column}, "columns") for column in row["columns"]]
    if len(found) < 2 or len({len(column) for column in found}) != 1:
        raise ValueError(f"expected columns of one length, a word and a tag at least, found {len(found)}")
    return found


def is_gold_conll(found: list[Column]) -> bool:
    """Whether the columns are those of CoNLL-2012, which numbers the words of a sentence."""
    return len(found) > _ENTITIES + 1 and found[_NUMBER] == [str(at) for at in range(len(found[_NUMBER]))]


def document(found: list[Column]) -> str:
    """The document of a CoNLL-2012 sentence, such as `nw/wsj/00/wsj_0001`."""
    return found[_DOCUMENT][0]


def gold_words(found: list[Column]) -> Column:
    """The words of a CoNLL-2012 sentence. ValueError where the files still wait for the text of the treebank."""
    words = found[_WORD]
    if set(words) == {"[WORD]"}:
        raise ValueError("the words are left out; run the shared task's skeleton2conll over the LDC's text")
    return words


def gold_entities(found: list[Column]) -> list[str]:
    """BIO tags of a CoNLL-2012 sentence's entities."""
    return bio_tags(found[_ENTITIES])


def propositions(found: list[Column]) -> list[list[str]]:
    """BIO tags of each predicate's arguments, of CoNLL-2012 and of CoNLL-2005 sentences."""
    if is_gold_conll(found):
        return [bio_tags(column) for column in found[_ENTITIES + 1 : -1] if _has_predicate(column)]
    last = len(found)
    while last > 1 and _has_predicate(found[last - 1]):
        last -= 1
    return [bio_tags(column) for column in found[last:]]


def _has_predicate(column: Column) -> bool:
    return any(cell.startswith(_PREDICATE) for cell in column)


def bio_tags(cells: Column) -> list[str]:
    """BIO tags of a column of brackets, one level deep: `(A0* *) (V*)` is B-A0 I-A0 B-V."""
    tags = []
    inside = ""
    for cell in cells:
        match = _CELL.fullmatch(cell)
        if match is None or (match[1] and inside) or (match[2] and not (match[1] or inside)):
            raise ValueError(f"the brackets of {' '.join(cells)!r} do not fit at {cell!r}")
        kind = match[1] or inside
        tags.append(f"{'B' if match[1] else 'I'}-{kind}" if kind else "O")
        inside = "" if match[2] else kind
    if inside:
        raise ValueError(f"the bracket of {inside!r} is not closed in {' '.join(cells)!r}")
    return tags
