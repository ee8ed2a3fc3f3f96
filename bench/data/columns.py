"""Column files: a word with its columns a line and blank lines between sentences, or a line for a whole sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.data.located import Located
from bench.data.text import lines
from bench.errors import UsageError

DOCUMENT_START = "-DOCSTART-"  # CoNLL-2003
DOCUMENT_MARKS = ("#begin document", "#end document")  # CoNLL-2012
WHOLE_SENTENCE = "|||"  # divides words from tags where a line is a whole sentence
COMMENT = "a line that begins with # and is no row of the columns, passed over as a comment"
NO_WORD = "a line of CoNLL-U whose number is none of a word (3-4, 5.1), passed over"
_CELL = re.compile(r"[^ \t\r]+")  # str.split() would also cut at a no-break space, which may be (in) a word
_TAG = re.compile(r"O|[A-Z]-.+")
_RANGE = re.compile(r"[0-9]+[-.][0-9]+")


@dataclass(slots=True)
class Line:
    """A line with something in it, its number, and its cells when divided at blanks and at tabs."""

    number: int
    text: str
    by_blanks: list[str]

    @property
    def by_tabs(self) -> list[str]:
        return [cell.strip(" ") for cell in self.text.split("\t")]

    @property
    def has_tab(self) -> bool:
        return "\t" in self.text

    @property
    def holds_blanks(self) -> bool:
        """Whether one of its cells between tabs has a blank in it."""
        cells = [cell for cell in self.by_tabs if cell]
        return len(cells) > 1 and any(" " in cell for cell in cells)


@dataclass(slots=True)
class Sentence:
    """Neighbouring lines, and the number of the document that they are of, counted from 1; 0 before the first."""

    lines: list[Line]
    document: int


def read_columns(path: Path, text: str) -> Iterator[Located]:
    """The sentences of a file: `columns`, each a list of cells, and `document` where the file marks documents.

    Cells are divided by tabs where the file can only be read so, else by blanks and tabs. A line that begins with # and
    does not look like the others is a comment. UsageError names the line that does not fit.
    """
    sentences = _sentences(text)
    first = next((sentence.lines[0] for sentence in sentences), None)
    if first is None:
        return
    if WHOLE_SENTENCE in first.by_blanks[1:]:  # a column file may begin with ||| as a word
        for sentence in sentences:
            for line in sentence.lines:
                yield _whole_sentence(f"{path}:{line.number}", line.by_blanks)
        return
    at_tabs = _divided_at_tabs(path, sentences)
    cells = [[line.by_tabs if at_tabs else line.by_blanks for line in sentence.lines] for sentence in sentences]
    if at_tabs:
        cells = _without_empty_columns(cells)
    all_rows = _Rows(cells)
    repaired: list[str] = []  # in lines before the next sentence that is kept
    for sentence, rows in zip(sentences, cells, strict=True):
        kept = []
        widths, is_numbered = all_rows.widths_of(rows), any(row[0] == "1" for row in rows)
        for line, row in zip(sentence.lines, rows, strict=True):
            no_word = is_numbered and _stands_for_no_word(row)
            reason = COMMENT if not all_rows.have(row, widths) else NO_WORD if no_word else ""
            if reason:
                repaired.append(reason)
            else:
                kept.append((line.number, row))
        if kept:
            yield _sentence(path, kept, sentence.document, tuple(repaired))
            repaired = []


def _sentences(text: str) -> list[Sentence]:
    """Where a document starts or ends, so does a sentence."""
    sentences: list[Sentence] = []
    of_sentence: list[Line] = []
    document = 0
    for number, line in enumerate([*lines(text), ""], start=1):
        cells = _CELL.findall(line)
        is_mark = bool(cells) and (cells[0] == DOCUMENT_START or line.startswith(DOCUMENT_MARKS))
        if cells and not is_mark:
            of_sentence.append(Line(number, line, cells))
            continue
        if of_sentence:
            sentences.append(Sentence(of_sentence, document))
            of_sentence = []
        document += is_mark and not line.startswith(DOCUMENT_MARKS[1])
    return sentences


def _divided_at_tabs(path: Path, sentences: Sequence[Sentence]) -> bool:
    """Whether cells can only be told apart by tabs: some hold blanks, or some are empty where others are not."""
    plain = [line for sentence in sentences for line in sentence.lines if not line.text.startswith("#")]
    tabbed = [line for line in plain if line.has_tab]
    if not tabbed:
        return False
    if any(line.holds_blanks for line in tabbed):
        if len(tabbed) * 2 <= len(plain):
            return False  # a stray tab in a file of blanks
        untabbed = next((line for line in plain if not line.has_tab), None)
        if untabbed is not None:
            raise UsageError(f"{path}:{untabbed.number}: no tab, but most lines of the file are divided by tabs")
        return True
    if len({len(line.by_blanks) for line in plain}) == 1:
        return False
    return len(tabbed) == len(plain) and all(
        len({len(line.by_tabs) for line in sentence.lines if not line.text.startswith("#")}) <= 1
        for sentence in sentences
    )


def _without_empty_columns(cells: list[list[list[str]]]) -> list[list[list[str]]]:
    """Columns in which no line has anything (a tab at each line's end) are none."""
    widths = {len(row) for rows in cells for row in rows if not row[0].startswith("#")}
    if len(widths) != 1:
        return cells
    (width,) = widths
    used = [at for at in range(width) if any(len(row) == width and row[at] for rows in cells for row in rows)]
    return [[[row[at] for at in used] if len(row) == width else row for row in rows] for rows in cells]


class _Rows:
    """Which lines are rows of the columns: all but those that begin with # and are unlike the file's others."""

    def __init__(self, cells: Sequence[Sequence[list[str]]]) -> None:
        plain = [row for rows in cells for row in rows if not row[0].startswith("#")]
        self._widths = {len(row) for row in plain}
        self._lasts = {row[-1] for row in plain}

    def widths_of(self, sentence: Sequence[list[str]]) -> set[int]:
        """How many cells a row of a sentence may have."""
        return {len(cells) for cells in sentence if not cells[0].startswith("#")} or self._widths

    def have(self, row: list[str], widths: set[int]) -> bool:
        """Whether a line is a row, `widths` being its sentence's."""
        if not row[0].startswith("#") or not self._widths:
            return True
        return len(row) in widths and (row[-1] in self._lasts or bool(_TAG.fullmatch(row[-1])))


def _stands_for_no_word(row: list[str]) -> bool:
    """Whether it is a line of CoNLL-U, whose words have numbers, for several words together or for one left out."""
    return bool(_RANGE.fullmatch(row[0])) and len(row) > 2


def _sentence(path: Path, rows: list[tuple[int, list[str]]], document: int, repaired: tuple[str, ...]) -> Located:
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            raise UsageError(f"{path}:{number}: {len(cells)} columns, but its sentence begins with {width}")
    columns = [list(column) for column in zip(*(cells for _, cells in rows), strict=True)]
    fields = {"columns": columns, **({"document": f"{path.name}-{document}"} if document else {})}
    return Located(f"{path}:{rows[0][0]}", fields, repaired, tuple(number for number, _ in rows))


def _whole_sentence(place: str, cells: list[str]) -> Located:
    """`2 My cats love hats . ||| B-A0 I-A0 B-V B-A1 O`: the predicate's place, the words, and a tag for each."""
    middle = len(cells) // 2  # with a place in front and as many words as tags
    predicate, words, tags = cells[0], cells[1:middle], cells[middle + 1 :]
    if not predicate.isdecimal() or cells[middle] != WHOLE_SENTENCE or len(words) != len(tags):
        raise UsageError(f"{place}: expected the predicate's place, then as many words as tags, divided by |||")
    return Located(place, {"predicate": int(predicate), "words": words, "tags": tags})
