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
LISTS, BROKEN = {"a": ["1", "2"], "b": ["x", "y"]}, {"a": "x\r\ny", "b": "1"}
UNBROKEN = {"a": "z", "b": "1"}
LONG = "y" * 200_000  # csv.reader would refuse it
SENTENCES = [("train:1", {"columns": [["a", "b"], ["O", "I-X"]]}), ("train:4", {"columns": [["c"], ["O"]]})]
LINE = {"predicate": 1, "words": ["My", "cats", "|||"], "tags": ["B-A0", "I-A0", "O"]}
READ = {
    "JSON lines, blank ones counted": ("train.jsonl", '{"a": "1"}\n\n{"a": "2"}', [(":1", ONE), (":3", TWO)]),
    "a line end in a text": ("train.jsonl", '{"a": "x\u2028y"}\r\n', [(":1", {"a": "x\u2028y"})]),
    "a JSON list": ("train.json", '[{"a": "1"},\n {"a": "2"}]', [("[0]", ONE), ("[1]", TWO)]),
    "a JSON list under data": ("train.json", '{"version": 1, "data": [{"a": "1"}]}', [("[0]", ONE)]),
    "a table": ("train.tsv", "a\tb\nx y\t\n\nz\tw\n", [(":2", {"a": "x y", "b": ""}), (":4", {"a": "z", "b": "w"})]),
    "JSON lines called .json": ("train.json", '{"a": "1"}\n{"a": "2"}\n', [(":1", ONE), (":2", TWO)]),
    "a JSON list called .jsonl": ("train.jsonl", '[{"a": "1"},\n {"a": "2"}]', [("[0]", ONE), ("[1]", TWO)]),
    "JSON objects over several lines": ("train.jsonl", '{\n"a": "1"}\n\n{"a":\n"2"}', [(":1", ONE), (":4", TWO)]),
    "a JSON object that is a row": ("train.jsonl", '\n{"a": ["1", "2"], "b": ["x", "y"]}', [(":2", LISTS)]),
    "JSON lines called .tsv": ("train.tsv", '{"a": "1"}\n{"a": "2"}', [(":1", ONE), (":2", TWO)]),
    "JSON lines called .txt": ("train.txt", '{"a": "1"}\n{"a": "2"}', [(":1", ONE), (":2", TWO)]),
    "JSON columns": ("train.json", '{"a": ["1", "2"]}', [("[0]", ONE), ("[1]", TWO)]),
    "JSON columns by number": ("train.json", '{"a": {"0": "1", "1": "2"}}', [("[0]", ONE), ("[1]", TWO)]),
    "JSON rows by number": ("train.json", '{"0": {"a": "1"}, "1": {"a": "2"}}', [("[0]", ONE), ("[1]", TWO)]),
    "JSON cells": ("train.json", '{"columns": ["a"], "data": [["1"], ["2"]]}', [("[0]", ONE), ("[1]", TWO)]),
    "JSON rows under data in .jsonl": ("train.jsonl", '{"data": [{"a": "1"}]}', [("[0]", ONE)]),
    "commas and quotes": ("train.csv", 'a,b\n"x, ""y""",\n', [(":2", {"a": 'x, "y"', "b": ""})]),
    "a line end in a cell": ("train.csv", 'a,b\r\n"x\r\ny",1\r\nz,1\r\n', [(":2", BROKEN), (":4", UNBROKEN)]),
    "semicolons, with commas in the text": ("train.csv", "a;b\nx, y;1,5\n", [(":2", {"a": "x, y", "b": "1,5"})]),
    "a divider that is stated": ("train.csv", "sep=|\r\na,b|c\r\n1|2\r\n", [(":3", {"a,b": "1", "c": "2"})]),
    "tabs called .csv": ("train.csv", "a\tb\nx, y\t1\n", [(":2", {"a": "x, y", "b": "1"})]),
    "commas called .tsv": ("train.tsv", 'a,b\n"x, y",1\n', [(":2", {"a": "x, y", "b": "1"})]),
    "one column": ("train.csv", "a\n1\n\n2\n", [(":2", ONE), (":4", TWO)]),
    "a long cell in .csv": ("train.csv", f"a,b\n{LONG},1", [(":2", {"a": LONG, "b": "1"})]),
    "packed .csv": ("train.csv.gz", gzip.compress(b"a\n1\n"), [(":2", ONE)]),
    "braces for words": ("train", "{ O\n} O", [(":1", {"columns": [["{", "}"], ["O", "O"]]})]),
    "numbers in brackets for words": ("train", "[1] O", [(":1", {"columns": [["[1]"], ["O"]]})]),
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
def test_a_file_is_read_by_its_content_and_its_ending(
    tmp_path: Path, name: str, content: str | bytes, expected: list[Any]
) -> None:
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
    "a row over several lines": ("train.jsonl", '{"a":\n1}\n{"a":', ":3: not valid JSON (Expecting value"),
    "a number after a row": ("train.jsonl", '{"a":\n1}\n2', ":3: expected a JSON object, found int"),
    "a number for a document": ("train.json", "3", f": {LIST}; found int"),
    "columns of two lengths": ("train.json", '{"a": ["1"], "b": []}', f": {LIST}; found an object with a, b"),
    "a cell too few in .csv": ("train.csv", 'a,b\n"x\ny",1\nz\n', ":4: 1 cells, but the header names 2"),
    "a quote that does not end": ("train.csv", 'a,b\n"x,1\n', ":2: not a valid table (unexpected end of data)"),
    "text after a quote": ("train.csv", 'a,b\n"x"y,1\n', ":2: not a valid table (',' expected after '\"')"),
    "a column named twice in .csv": ("train.csv", "a,a\n1,2", ":1: the header names a column twice: a, a"),
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
    "bytes that are no text": (
        "train.jsonl",
        b'{"a": "\xff"}',
        "'utf-8' codec can't decode byte 0xff in position 7: invalid start byte (line 1)",
    ),
    "what is not packed": ("train.jsonl.gz", b'{"a": 1}', "Not a gzipped file"),
    "what is cut": ("train.jsonl.gz", PACKED[:-20], "Compressed file ended"),
    "what is spoiled": ("train.jsonl.gz", PACKED[:20] + b"\xff" * 40 + PACKED[60:], "Error -3 while decompressing"),
}


@pytest.mark.parametrize(("name", "content", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(UsageError) as error:
        rows(tmp_path, name, content)
    assert str(error.value).startswith(f"cannot read {tmp_path / name}: {message}")
