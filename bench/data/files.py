"""Rows of local files: JSON, tables, parquet, saved data sets and columns of words, told by content and ending.

A row is a dict of fields; beside it goes the place it came from, so that an error can name file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.data.arrow import parquet_rows, saved_rows
from bench.data.json_rows import holds_json, json_rows
from bench.data.located import Located
from bench.data.tables import quoted_rows, tabbed_rows
from bench.data.text import read_text
from bench.errors import UsageError

__all__ = ["Located", "read"]

PARQUET = b"PAR1"  # the first bytes of such a file

DOCUMENT_START = "-DOCSTART-"  # CoNLL-2003
DOCUMENT_MARKS = ("#begin document", "#end document")  # CoNLL-2012
WHOLE_SENTENCE = "|||"  # divides words from tags where a line is a whole sentence
_CELL = re.compile(r"[^ \t\r]+")  # str.split() would also cut at a no-break space, which may be (in) a word


def read(path: Path) -> Iterator[Located]:
    """The rows of a file, or of a folder that `save_to_disk` wrote. UsageError names the file, and the line where one
    is malformed.
    """
    if path.is_dir() or _begins_with(path, PARQUET):
        rows = saved_rows(path) if path.is_dir() else parquet_rows(path)
        yield from (Located(f"{path}[{index}]", row) for index, row in enumerate(rows))
        return
    text, repaired = read_text(path)
    if path.suffix == ".parquet" and not holds_json(text):
        raise UsageError(f"cannot read {path}: it is no parquet file, nor JSON")
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    for row in _reader(ending, text)(path, text):
        yield replace(row, repaired=repaired + row.repaired) if repaired else row
        repaired = ()


def _begins_with(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def _reader(ending: str, text: str) -> Callable[[Path, str], Iterator[Located]]:
    """What reads a text: JSON wherever it is JSON, else what the ending says; columns of words without one of these."""
    if ending in (".json", ".jsonl") or holds_json(text):
        return partial(json_rows, one_is_a_row=ending != ".json")
    return {".tsv": tabbed_rows, ".csv": quoted_rows}.get(ending, _columns)


def _columns(path: Path, text: str) -> Iterator[Located]:
    """Sentences divided by blank lines, a word with its columns a line; or a line for each sentence and predicate.

    Which of the two it is, the file's first line tells. Where a document starts or ends, so does a sentence.
    """
    sentence: list[tuple[int, list[str]]] = []
    whole: bool | None = None
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        cells = _CELL.findall(line)
        if whole is None and cells:
            whole = WHOLE_SENTENCE in cells[1:]  # a column file may begin with ||| as a word
        if cells and whole:
            yield _whole_sentence(f"{path}:{number}", cells)
        elif cells and cells[0] != DOCUMENT_START and not line.startswith(DOCUMENT_MARKS):
            sentence.append((number, cells))
        elif sentence:
            yield _sentence(path, sentence)
            sentence = []


def _sentence(path: Path, lines: list[tuple[int, list[str]]]) -> Located:
    width = len(lines[0][1])
    for number, cells in lines:
        if len(cells) != width:
            raise UsageError(f"{path}:{number}: {len(cells)} columns, but its sentence begins with {width}")
    columns = [list(column) for column in zip(*(cells for _, cells in lines), strict=True)]
    return Located(f"{path}:{lines[0][0]}", {"columns": columns})


def _whole_sentence(place: str, cells: list[str]) -> Located:
    """`2 My cats love hats . ||| B-A0 I-A0 B-V B-A1 O`: the predicate's place, the words, and a tag for each."""
    middle = len(cells) // 2  # with a place in front and as many words as tags
    predicate, words, tags = cells[0], cells[1:middle], cells[middle + 1 :]
    if not predicate.isdecimal() or cells[middle] != WHOLE_SENTENCE or len(words) != len(tags):
        raise UsageError(f"{place}: expected the predicate's place, then as many words as tags, divided by |||")
    return Located(place, {"predicate": int(predicate), "words": words, "tags": tags})
