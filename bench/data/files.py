"""Rows of local files, by the ending of their names: JSON, tables with tabs, and columns of words.

A row is a dict of fields; beside it goes the place it came from, so that an error can name file and line.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError

DOCUMENT_START = "-DOCSTART-"  # CoNLL-2003
DOCUMENT_MARKS = ("#begin document", "#end document")  # CoNLL-2012
WHOLE_SENTENCE = "|||"  # divides words from tags where a line is a whole sentence
_CELL = re.compile(r"[^ \t\r]+")  # str.split() would also cut at a no-break space, which may be (in) a word


@dataclass(frozen=True, slots=True)
class Located:
    """A raw row and where it stands: `file:line`, `file[row]`, `repo/config split[row]` or `generated split[row]`.

    `repaired` says what the reader mended in it, or in the file before it: each is counted and told once.
    """

    place: str
    fields: dict[str, Any]
    repaired: tuple[str, ...] = ()


def read(path: Path) -> Iterator[Located]:
    """The rows of a file. UsageError names the file, and the line where one is malformed."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    yield from READERS.get(ending, _columns)(path, text)


def _json_lines(path: Path, text: str) -> Iterator[Located]:
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines(): a text may hold other line ends
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{place}: not valid JSON ({error})") from None
        if not isinstance(row, dict):
            raise UsageError(f"{place}: expected a JSON object, found {type(row).__name__}")
        yield Located(place, row)


def _json(path: Path, text: str) -> Iterator[Located]:
    """A list of objects, or an object that has one under "data"."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not valid JSON ({error})") from None
    rows = found.get("data") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise UsageError(f'{path}: expected a JSON list, or an object with a list under "data"')
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UsageError(f"{path}[{index}]: expected a JSON object, found {type(row).__name__}")
        yield Located(f"{path}[{index}]", row)


def _table(path: Path, text: str) -> Iterator[Located]:
    """Cells divided by tabs, never quoted (csv.reader would have limits of its own); the first line names them."""
    header: list[str] | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.removesuffix("\r").split("\t")
        if cells == [""]:
            continue
        if header is None:
            header = cells
            if len(set(header)) < len(header):
                raise UsageError(f"{path}:{number}: the header names a column twice: {', '.join(header)}")
            continue
        if len(cells) != len(header):
            raise UsageError(f"{path}:{number}: {len(cells)} cells, but the header names {len(header)}")
        yield Located(f"{path}:{number}", dict(zip(header, cells, strict=True)))


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


READERS: dict[str, Callable[[Path, str], Iterator[Located]]] = {".jsonl": _json_lines, ".json": _json, ".tsv": _table}
