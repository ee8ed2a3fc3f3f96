"""Every format of local files, by the ending of the name; what is malformed is named with file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bench.data.files import read
from bench.errors import UsageError


def rows(folder: Path, name: str, content: str | bytes) -> list[tuple[str, dict[str, Any]]]:
    """What is read of a file of that name: (where, fields), with the folder left out."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(row.place.removeprefix(f"{folder}/"), row.fields) for row in read(path)]


ONE, TWO = {"a": "1"}, {"a": "2"}
LONG = "y" * 200_000  # csv.reader would refuse it
SENTENCES = [("train:1", {"columns": [["a", "b"], ["O", "I-X"]]}), ("train:4", {"columns": [["c"], ["O"]]})]
LINE = {"predicate": 1, "words": ["My", "cats", "|||"], "tags": ["B-A0", "I-A0", "O"]}
READ = {
    "JSON lines, blank ones counted": ("train.jsonl", '{"a": "1"}\n\n{"a": "2"}', [(":1", ONE), (":3", TWO)]),
    "a line end in a text": ("train.jsonl", '{"a": "x\u2028y"}\r\n', [(":1", {"a": "x\u2028y"})]),
    "a JSON list": ("train.json", '[{"a": "1"},\n {"a": "2"}]', [("[0]", ONE), ("[1]", TWO)]),
    "a JSON list under data": ("train.json", '{"version": 1, "data": [{"a": "1"}]}', [("[0]", ONE)]),
    "a table": ("train.tsv", "a\tb\nx y\t\n\nz\tw\n", [(":2", {"a": "x y", "b": ""}), (":4", {"a": "z", "b": "w"})]),
    "a table with Windows line ends": ("train.tsv", "\ufeffa\tb\r\nx\ty\r\n", [(":2", {"a": "x", "b": "y"})]),
    "a quote in a table": ("train.tsv", 'a\tb\n"x\ty"z', [(":2", {"a": '"x', "b": 'y"z'})]),
    "a long cell": ("train.tsv", f"a\n{LONG}\n1", [(":2", {"a": LONG}), (":3", ONE)]),
    "a packed table": ("train.tsv.gz", gzip.compress(b"a\n1\n"), [(":2", ONE)]),
    "packed JSON lines": ("train.jsonl.gz", gzip.compress(b'{"a": "1"}'), [(":1", ONE)]),
    "packed columns": ("train.gz", gzip.compress(b"a O\n"), [(":1", {"columns": [["a"], ["O"]]})]),
    "no-break space for a word": ("train", "\u00a0 O", [(":1", {"columns": [["\u00a0"], ["O"]]})]),
    "bars for a word": ("train", "||| O\n\n||| O", [(f":{at}", {"columns": [["|||"], ["O"]]}) for at in (1, 3)]),
    "a sentence a line": ("train.txt", "1 My cats ||| ||| B-A0 I-A0 O\n\n", [(":1", LINE)]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "expected"), READ.values(), ids=READ)
def test_a_file_is_read_by_its_ending(tmp_path: Path, name: str, content: str | bytes, expected: list[Any]) -> None:
    assert rows(tmp_path, name, content) == [(name + place, fields) for place, fields in expected]


COLUMNS = {
    "the last sentence without a blank line": "a O\nb I-X\n\nc O",
    "a line end at the end": "a O\nb I-X\n\nc O\n",
    "many blank lines": "a O\nb I-X\n\nc O\n\n\n",
    "blanks and tabs": "a\tO\nb   I-X \n \t\n c O",
    "Windows line ends": "a O\r\nb I-X\r\n\r\nc O\r\n",
    "a document's end": "a O\nb I-X\n#end document\nc O\n",
    "Windows line ends, twice": "a O\r\r\nb I-X\r\r\n\r\r\nc O\r\r\n",
    "old Mac line ends": "a O\rb I-X\r\rc O\r",
    "line ends mixed": "a O\rb I-X\n\r\nc O\r\n",
    "a byte order mark before a blank line": "a O\nb I-X\n\ufeff\nc O",
}


@pytest.mark.parametrize("content", COLUMNS.values(), ids=COLUMNS)
def test_columns_are_sentences_however_they_are_divided(tmp_path: Path, content: str) -> None:
    assert rows(tmp_path, "train", content) == SENTENCES


def test_documents_are_numbered_and_divide_sentences(tmp_path: Path) -> None:
    content = "a O\n-DOCSTART- -X-\nb O\n\nc O\n#begin document (x); part 1\nd O\n#end document\n\ne O\n"
    found = [fields for _, fields in rows(tmp_path, "train.txt", content)]
    assert [fields["columns"][0] for fields in found] == [["a"], ["b"], ["c"], ["d"], ["e"]]
    assert [fields.get("document") for fields in found] == [None, *["train.txt-1"] * 2, *["train.txt-2"] * 2]


def test_marks_of_documents_are_no_words_but_a_number_sign_may_be_one(tmp_path: Path) -> None:
    content = "#begin document (x); part 000\na O\n\n#end document\n-DOCSTART- -X- O O\n\n# O\n#begin O"
    assert [fields["columns"][0] for _, fields in rows(tmp_path, "train", content)] == [["a"], ["#", "#begin"]]


LIST = 'expected a JSON list, or an object with a list under "data"'
PLACE_WORDS_TAGS = "expected the predicate's place, then as many words as tags, divided by |||"
MALFORMED = {
    "a broken line": ("train.jsonl", '{"a": 1}\n{"a": ', ":2: not valid JSON (Expecting value: line 1"),
    "a list for a row": ("train.jsonl", '{"a": 1}\n[1]', ":2: expected a JSON object, found list"),
    "a broken document": ("train.json", "[", ": not valid JSON (Expecting value: line 1 column 2 (char 1))"),
    "too deep a document": ("train.json", "[" * 100_000, ": not valid JSON (maximum recursion depth exceeded"),
    "a document without rows": ("train.json", '{"rows": []}', f": {LIST}"),
    "a number for a row": ("train.json", '[{"a": 1}, 2]', "[1]: expected a JSON object, found int"),
    "a cell too many": ("train.tsv", "a\tb\nx\ty\nx\ty\tz\n", ":3: 3 cells, but the header names 2"),
    "a column named twice": ("train.tsv", "a\ta\nx\ty", ":1: the header names a column twice: a, a"),
    "a ragged sentence": ("train", "a O\n\nb O\nc\n", ":4: 1 columns, but its sentence begins with 2"),
    "a tag too few": ("train", "0 a b ||| O\n", f":1: {PLACE_WORDS_TAGS}"),
    "no place": ("train", "0 a ||| O\n² b ||| O\n", f":2: {PLACE_WORDS_TAGS}"),
    "no bars": ("train", "0 a ||| O\n0 b O\n", f":2: {PLACE_WORDS_TAGS}"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_named_with_file_and_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        rows(tmp_path, name, content)
    assert str(error.value).startswith(f"{tmp_path / name}{message}")


PACKED = gzip.compress(json.dumps({str(at): at for at in range(500)}).encode())
UNREADABLE = {
    "bytes that are no text": ("train.jsonl", b'{"a": "\xff"}', "'utf-8' codec can't decode byte 0xff in position 7"),
    "what is not packed": ("train.jsonl.gz", b'{"a": 1}', "Not a gzipped file"),
    "what is cut": ("train.jsonl.gz", PACKED[:-20], "Compressed file ended"),
    "what is spoiled": ("train.jsonl.gz", PACKED[:20] + b"\xff" * 40 + PACKED[60:], "Error -3 while decompressing"),
}


@pytest.mark.parametrize(("name", "content", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(UsageError) as error:
        rows(tmp_path, name, content)
    assert str(error.value).startswith(f"cannot read {tmp_path / name}: {message}")
