"""A user's tagged sentences: which columns are the words and the tags, and which types of entities there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.data.found import Asked, Found
from bench.data.layout import with_layout
from bench.data.located import Located
from bench.data.mapping import Columns, Fields, cell, marks
from bench.data.recognised import Recognised
from bench.data.typed import passage_id, texts
from bench.errors import UsageError, WordError
from bench.task import bio

IN_COLUMNS = "columns"  # the field that rows of column files have
WORDS = ("words", "tokens")
TAGS = ("tags", "ner_tags", "labels", "ner", "ner_labels", "entities")
LENGTH = 256  # tokens, so that next to no sentence is cut
_TAG = re.compile(r"[BIESLU]-(.+)")


def recognised_tags(found: Found, asked: Asked) -> Recognised | None:
    """A column file, or a table with a list of words and one of their tags in each row."""
    first = found.rows[0].fields if found.rows else {}
    if is_of_column_file(first):
        return _of_column_file(found, asked)
    words = next(iter(asked.texts), "") or _named(found, WORDS)
    tags = asked.label or _named(found, TAGS)
    if not words or not tags or not all("list" in found.columns[name].types for name in (words, tags)):
        return None
    fields = {"words": words, "tags": tags}
    types = _types(_listed(row, tags) for row in found.rows)
    if not types:
        example = next((tag for row in found.rows for tag in _listed(row, tags)), "")
        raise UsageError(f"{found.source}: {tags!r} holds no tags like B-PER, I-PER and O, but {example!r}")
    return _recognised(found, asked, fields, types)


def is_of_column_file(row: Mapping[str, Any]) -> bool:
    """Whether a row is a sentence of a column file, whose columns have numbers, and not a row of a table that calls a
    column so.
    """
    columns = row.get(IN_COLUMNS)
    return isinstance(columns, list) and all(isinstance(column, list) for column in columns)


def _of_column_file(found: Found, asked: Asked) -> Recognised:
    """UsageError where no column holds tags, and for a group that its sentences do not have."""
    found.check(Asked(group=asked.group, idx=asked.idx))
    sentences = [row.fields[IN_COLUMNS] for row in found.rows]
    width = min(map(len, sentences))
    tagged = [at for at in range(width) if _holds_tags(columns[at] for columns in sentences)]
    if asked.label:
        tagged = [_place(found, asked.label, width)]
    if not tagged:
        words = " ".join(column[0] for column in sentences[0])
        raise UsageError(
            f"{found.rows[0].place}: no column holds tags (O, B-PER, I-PER …) in this file, which begins with "
            f"{words!r}; a table of texts and labels needs a first line that names its columns, and the ending .csv"
        )
    types = _types(columns[at] for columns in sentences for at in tagged)
    laid = with_layout(found.rows, bio(*types))
    first = laid[0].fields
    words_at = _place(found, asked.texts[0], width) if asked.texts else first["word_column"]
    fields = {"words": str(words_at + 1), "tags": str((tagged[-1] if asked.label else first["tag_column"]) + 1)}
    told = tuple(note for note in laid[0].repaired[len(found.rows[0].repaired) :] if not asked.named)
    if any("document" in row.fields for row in found.rows):
        return _recognised(found, asked, fields, types, told, clusters="document", parts="sentence")
    return _recognised(found, asked, fields, types, told)


def _recognised(
    found: Found, asked: Asked, fields: dict[str, str], types: list[str], notes: tuple[str, ...] = (),
    clusters: str = "", parts: str = "",
) -> Recognised:  # fmt: skip
    marked = {name: column for name, column in (("group", asked.group), ("idx", asked.idx)) if column}
    return Recognised(
        rank=3,
        fields={**fields, **marked},
        metrics=("entity_f1",),
        label=f"entities of {len(types)} type{'s' if len(types) > 1 else ''} ({', '.join(types[:12])})",
        classes=bio(*types),
        max_length=LENGTH,
        clusters=clusters,
        parts=parts,
        notes=notes,
    )


def tagged_row(columns: Columns, row: Fields, labelled: bool) -> Fields:
    """The row's `words` and `tags`; of a file that marks documents the document as its group. ValueError for lists that
    do not fit, WordError at a blank word or tag.
    """
    found: Fields = {**_document(columns, row), **marks(columns, row)}
    for name in ("words", "tags") if labelled else ("words",):
        found[name] = _cells(columns, row, name)
        if "" in found[name]:
            told = f"the {name.removesuffix('s')} is blank; a word outside of any entity has the tag O"
            raise WordError(found[name].index(""), told)
    if labelled and len(found["words"]) != len(found["tags"]):
        raise ValueError(f"{len(found['words'])} words but {len(found['tags'])} tags")
    return found


def _cells(columns: Columns, row: Fields, name: str) -> list[str]:
    column = columns[name]
    if IN_COLUMNS in row and isinstance(column, str) and column.isdecimal():
        of_row: list[list[str]] = row[IN_COLUMNS]
        if int(column) > len(of_row):
            raise ValueError(f"{len(of_row)} columns, where the {name} are in column {column}")
        return of_row[int(column) - 1]
    if cell(columns, row, name) is None:
        raise ValueError(f"column {column!r} is empty")
    return texts(row, str(column))


def _document(columns: Columns, row: Fields) -> Fields:
    if "document" not in row or IN_COLUMNS not in row:
        return {}
    return {"group": row["document"], "part": passage_id(" ".join(_cells(columns, row, "words")))}


def _named(found: Found, names: Iterable[str]) -> str:
    folded = {name.casefold(): name for name in found.columns}
    return next((folded[name] for name in names if name in folded), "")


def _listed(row: Located, column: str) -> list[str]:
    value = row.fields.get(column)
    return [tag for tag in value if isinstance(tag, str)] if isinstance(value, list) else []


def _place(found: Found, number: str, width: int) -> int:
    """The place of a column that is named by its number, from 1."""
    if not number.isdecimal() or not 1 <= int(number) <= width:
        raise UsageError(f"{found.source} is a column file: give the number of a column, 1 to {width}, not {number!r}")
    return int(number) - 1


def _holds_tags(columns: Iterable[list[str]]) -> bool:
    """Whether all cells are O or a mark, a dash and a type, and some are of a type."""
    tags = {tag for column in columns for tag in column}
    return len(tags) > 1 and all(tag == "O" or _TAG.fullmatch(tag) for tag in tags)


def _types(columns: Iterable[list[str]]) -> list[str]:
    return sorted(set(_kinds(columns)))


def _kinds(columns: Iterable[list[str]]) -> Iterator[str]:
    for tag in {tag for column in columns for tag in column}:
        if match := _TAG.fullmatch(tag):
            yield match[1]
