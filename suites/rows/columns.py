"""Sentences of column files: plain ones, CoNLL-2012's `*_gold_conll` and CoNLL-2005's; brackets made BIO tags.

CoNLL-2012 (Pradhan et al. 2012): document, part, word number, word, part of speech, parse, lemma, frameset, sense,
speaker, entities, a column of arguments per predicate, coreference. CoNLL-2005 (Carreras & Màrquez 2005): word first,
then others, the last of which has the predicates' lemmas and - elsewhere, then a column of arguments per predicate.
"""

from __future__ import annotations

import re

from bench.data.typed import Row, texts
from bench.errors import WordError

Column = list[str]
_DOCUMENT, _NUMBER, _WORD, _LEMMA, _FRAMESET, _ENTITIES = 0, 2, 3, 6, 7, 10
_CELL = re.compile(r"(?:\(([^()*]+))?\*?(\))?")  # (A0*  *  *)  (V*)  (GPE)
_BRACKETS = re.compile(r"[^()*]*[()*][^()*]*[()*]*")  # the like of them, whether it fits or not
_PREDICATE = "(V*"
_NONE = "-"  # in a column of lemmas or framesets


def columns(row: Row) -> list[Column]:
    """The row's columns, each with a cell per word. ValueError when there are not at least two of one length."""
    sentence: list[Column] = [texts({"columns": column}, "columns") for column in row["columns"]]
    if len(sentence) < 2 or len({len(column) for column in sentence}) != 1:
        raise ValueError(f"expected columns of one length, a word and a tag at least, found {len(sentence)}")
    return sentence


def words_and_tags(row: Row) -> tuple[Column, Column]:
    """The words and the tags of a plain sentence. ValueError where one of either is blank, or there are none.

    Tables name them: `words` or `tokens`, and `tags` or, as on the hub, `ner_tags`.
    """
    if "columns" in row:
        sentence = columns(row)
        words, tags = sentence[row.get("word_column", 0)], sentence[row.get("tag_column", -1)]
    else:
        words = texts(row, "words" if "words" in row else "tokens")
        tags = texts(row, "tags" if "tags" in row else "ner_tags")
    if len(words) != len(tags):
        raise ValueError(f"{len(words)} words but {len(tags)} tags")
    for name, column in (("word", words), ("tag", tags)):
        if "" in column:
            raise WordError(column.index(""), f"the {name} is blank; a word outside of any entity has the tag O")
    return words, tags


def is_gold_conll(sentence: list[Column]) -> bool:
    """Whether the columns are those of CoNLL-2012, which numbers the words of a sentence from 0.

    ValueError where the numbers are others.
    """
    if len(sentence) <= _ENTITIES + 1 or not all(map(str.isdecimal, sentence[_NUMBER])):
        return False
    if len(set(sentence[_DOCUMENT])) > 1:
        return False  # numbers of another kind
    for at, number in enumerate(sentence[_NUMBER]):
        if number != str(at):
            raise WordError(at, f"word {at} of its sentence, counted from 0, has the number {number}")
    return True


def document(sentence: list[Column]) -> str:
    """The document of a CoNLL-2012 sentence, such as `nw/wsj/00/wsj_0001`."""
    return sentence[_DOCUMENT][0]


def gold_words(sentence: list[Column]) -> Column:
    """The words of a CoNLL-2012 sentence. ValueError where the files still wait for the text of the treebank."""
    words = sentence[_WORD]
    if set(words) == {"[WORD]"}:
        raise ValueError("the words are left out; run the shared task's skeleton2conll over the LDC's text")
    return words


def gold_entities(sentence: list[Column]) -> list[str]:
    """BIO tags of a CoNLL-2012 sentence's entities."""
    return bio_tags(sentence[_ENTITIES])


def propositions(sentence: list[Column], word_column: int = 0) -> list[list[str]]:
    """BIO tags of each predicate's arguments, of CoNLL-2012 and of CoNLL-2005 sentences.

    ValueError where a column has no predicate, where its brackets do not fit, and where there are not as many columns
    as predicates are marked.
    """
    arguments, marks = _gold_arguments(sentence) if is_gold_conll(sentence) else _last_arguments(sentence, word_column)
    marked = [at for at, mark in enumerate(marks) if mark != _NONE]
    if marks and len(marked) != len(arguments):
        at = marked[min(len(arguments), len(marked) - 1)] if marked else 0
        raise WordError(at, f"{len(marked)} predicates are marked, but there are {len(arguments)} columns of arguments")
    tags = [bio_tags(column) for column in arguments]
    for number, proposition in enumerate(tags):
        if "B-V" not in proposition:
            at = marked[number] if marked else 0
            raise WordError(at, f"column {number + 1} of the arguments has no predicate, {_PREDICATE}…")
    return tags


def _gold_arguments(sentence: list[Column]) -> tuple[list[Column], Column]:
    """The arguments' columns of a CoNLL-2012 sentence, and the column that marks predicates: those with a frameset.

    Lemmas stand beside some other words too; where there are as many of them as columns, they are the marks.
    """
    arguments, lemmas = sentence[_ENTITIES + 1 : -1], sentence[_LEMMA]
    by_lemma = len(lemmas) - lemmas.count(_NONE) == len(arguments)
    return arguments, lemmas if by_lemma else sentence[_FRAMESET]


def _last_arguments(sentence: list[Column], word_column: int) -> tuple[list[Column], Column]:
    """The columns of brackets that a CoNLL-2005 sentence ends with, and the column before, which marks predicates.

    Files that have no such column mark them by the arguments' columns alone.
    """
    first = len(sentence)
    while first > word_column + 1 and any(map(_BRACKETS.fullmatch, sentence[first - 1])):
        first -= 1
    arguments, marks = sentence[first:], sentence[first - 1]
    before = sentence[first - 2] if first - 2 > word_column else []
    if set(marks) == {_NONE} and _NONE in before and set(before) != {_NONE}:
        at = next(at for at, mark in enumerate(before) if mark != _NONE)
        raise WordError(at, f"column {first} is neither the predicates' nor one of arguments: it has - alone")
    unmarked = first - 1 == word_column or (_NONE not in marks and len(marks) != len(arguments))
    return arguments, [] if unmarked else marks


def bio_tags(cells: Column) -> list[str]:
    """BIO tags of a column of brackets, one level deep: `(A0* *) (V*)` is B-A0 I-A0 B-V."""
    tags = []
    inside, opened = "", 0
    for at, cell in enumerate(cells):
        match = _CELL.fullmatch(cell)
        if not cell or match is None or (match[1] and inside) or (match[2] and not (match[1] or inside)):
            raise WordError(at, f"the brackets of {' '.join(cells)!r} do not fit at {cell!r}")
        if match[1]:
            opened = at
        kind = match[1] or inside
        tags.append(f"{'B' if match[1] else 'I'}-{kind}" if kind else "O")
        inside = "" if match[2] else kind
    if inside:
        raise WordError(opened, f"the bracket of {inside!r} is not closed in {' '.join(cells)!r}")
    return tags
