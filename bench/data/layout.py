"""Which columns of a file are the words and the tags, found by what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from bench.data.located import Located
from bench.errors import UsageError

Column = list[str]
_MARKS = "BIESLU"
_ENOUGH = 8  # words; in fewer, a column may hold one value in each sentence by chance


def with_layout(rows: Iterable[Located], classes: Sequence[str]) -> list[Located]:
    """The rows; those with `columns` also with `word_column` and, where tags of the classes are found, `tag_column`.

    A file is looked at whole. Where they are not the first and the last column, or others could be the tags too, the
    file's first row says so. UsageError where numbers are all there is besides the tags, and where a file with tags has
    rows of another number of columns.
    """
    types = {name.partition("-")[2] for name in classes} - {""}
    arranged: list[Located] = []
    for _, group in groupby(rows, key=lambda row: row.source):
        file_rows = list(group)
        if all(_has_columns(row) for row in file_rows):
            file_rows = _of_file(file_rows, types)
        arranged += file_rows
    return arranged


def _has_columns(row: Located) -> bool:
    """Whether it is a sentence in columns; a row of JSON may have a field of that name too."""
    columns = row.fields.get("columns")
    if not isinstance(columns, list) or not columns:
        return False
    return all(isinstance(column, list) and set(map(type, column)) == {str} for column in columns)


def _of_file(rows: list[Located], types: set[str]) -> list[Located]:
    widths = Counter(len(row.fields["columns"]) for row in rows)
    width = widths.most_common(1)[0][0]
    whole = [row.fields["columns"] for row in rows if len(row.fields["columns"]) == width]
    tags = [at for at in range(width) if _holds_tags((columns[at] for columns in whole), types)]
    has_entities = any(cell not in ("", "O") for columns in whole for at in tags for cell in columns[at])
    if has_entities and len(widths) > 1:
        odd = next(row for row in rows if len(row.fields["columns"]) != width)
        raise UsageError(f"{odd.place}: {len(odd.fields['columns'])} columns, but most lines of its file have {width}")
    sentences = [row.fields["columns"] for row in rows]
    untagged = [at for at in range(min(widths)) if at not in tags]
    may_be_words = [at for at in untagged if not _counts(sentences, at)]
    if tags and not may_be_words:
        raise UsageError(f"{rows[0].place}: no column of words, only {'numbers and tags' if untagged else 'tags'}")
    words = next((at for at in may_be_words if not _names(sentences, at)), min(may_be_words, default=0))
    layout = {"word_column": words, **({"tag_column": tags[-1]} if tags else {})}
    is_plain = bool(tags) or _counts(sentences, 0)  # not CoNLL-2012's, say
    told = _told(words, tags, width) if is_plain else ""
    laid = [replace(row, fields={**row.fields, **layout}) for row in rows]
    return [replace(laid[0], repaired=(*laid[0].repaired, told)), *laid[1:]] if told else laid


def _holds_tags(columns: Iterable[Column], types: set[str]) -> bool:
    """Whether all cells are tags of these types, or empty; O alone will do."""
    tags = {tag for column in columns for tag in column} - {""}
    return bool(tags) and all(
        tag == "O" or (tag[:1] in _MARKS and tag[1:2] == "-" and tag[2:] in types) for tag in tags
    )


def _counts(sentences: Sequence[Sequence[Column]], at: int) -> bool:
    """Whether a column counts the words of each sentence, from 0 or 1, or holds other numbers alone."""
    if all(len(columns[at]) < 2 for columns in sentences):
        return False
    cells = [cell for columns in sentences for cell in columns[at]]
    return (len(cells) >= _ENOUGH and all(cell.isdecimal() for cell in cells)) or any(
        all(columns[at] == [str(number + first) for number in range(len(columns[at]))] for columns in sentences)
        for first in (0, 1)
    )


def _names(sentences: Sequence[Sequence[Column]], at: int) -> bool:
    """Whether a column has one value in each sentence, as names of sentences and documents are."""
    several = [columns[at] for columns in sentences if len(columns[at]) > 1]
    return len(several) > 1 and sum(map(len, several)) >= _ENOUGH and all(len(set(column)) == 1 for column in several)


def _told(words: int, tags: list[int], width: int) -> str:
    """What is unusual about the columns, counted from 1; "" where words come first and tags last, and nothing else."""
    parts = []
    if words:
        parts.append(f"the words are in column {words + 1}")
    if tags and tags[-1] != width - 1:
        parts.append(f"the tags are in column {tags[-1] + 1} of {width}")
    if len(tags) > 1:
        numbers = ", ".join(str(at + 1) for at in tags[:-1])
        parts.append(f"column {numbers} could be the tags too; {tags[-1] + 1} was taken")
    return "a file in which " + ", ".join(parts) if parts else ""
