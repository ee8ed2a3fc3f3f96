"""A large file is read line by line, and comes to the rows that it has as a whole."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from bench.data import text
from bench.data.files import read
from bench.data.located import Located
from bench.errors import UsageError
from tests.own.mails import Rows, mails, write

ODD: Rows = [{"body": 'a "quoted", text\nof two lines', "team": "x"}, {"body": "a\u2028b", "team": "é"}, *mails(4)]


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.ndjson", "m.csv.gz", "m.jsonl.gz"])
def test_line_by_line_the_rows_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = write(tmp_path / name, ODD)
    whole = list(read(path))
    monkeypatch.setattr(text, "LARGE", 1)
    monkeypatch.setattr("bench.data.files.read_text", None)
    assert list(read(path)) == whole
    assert [row.fields for row in whole] == ODD


@pytest.mark.parametrize(
    "content",
    [
        "body\tteam\na \"b\tx\n\nc\ty\n", "body;team\na;x\n", "\ufeffbody\tteam\r\na\tx\r\n", "\n\nbody\tteam\na\tx\n",
    ],
)  # fmt: skip
def test_tabs_marks_and_blank_lines_are_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = tmp_path / "m.tsv"
    path.write_bytes(content.encode())
    whole = list(read(path))
    monkeypatch.setattr(text, "LARGE", 1)
    assert list(read(path)) == whole
    assert whole[-1].fields["body"] in ("a", "c")


def test_excel_s_own_first_line_and_utf_16_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes("sep=;\nbody;team\na,b;x\n".encode("utf-16"))
    monkeypatch.setattr(text, "LARGE", 1)
    assert list(read(path)) == [Located(f"{path}:3", {"body": "a,b", "team": "x"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,\0\n", "line 2 has a NUL character"), (b"a,b\n" + b"x" * 99, "more than 50 characters"),
        (b"a,b\n\xff\n", "give it as text"),
    ],
)  # fmt: skip
def test_what_is_no_text_ends_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    monkeypatch.setattr(text, "LARGE", 1)
    monkeypatch.setattr(text, "LONGEST_LINE", 50)
    with pytest.raises(UsageError, match=message):
        list(read(path))


def test_a_packed_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LEAST_REFUSED", 20_000)
    for name, row in (("m.csv.gz", b"a,b\n"), ("m.json.gz", b"{}\n"), ("m.gz", b"word O\n")):
        path = tmp_path / name
        path.write_bytes(gzip.compress(row * 100_000))
        with pytest.raises(UsageError, match=f"{name}: it holds more than [0-9,]+ bytes, 100 times its size or more"):
            list(read(path))


def test_what_unpacks_to_no_more_than_text_does_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text packs to a third or a tenth; the bound is for what holds a hundred times its size."""
    monkeypatch.setattr(text, "LEAST_REFUSED", 0)
    path = tmp_path / "m.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (at, at * at) for at in range(20_000))))
    assert len(list(read(path))) == 20_000


def test_memory_holds_no_more_than_a_part_of_a_file_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "m.json.gz"
    path.write_bytes(gzip.compress(b"[]" * (1 << 19)) * 2000)  # 2 MB that hold 2 GB
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="it holds more than"):
            list(read(path))
        assert tracemalloc.get_traced_memory()[1] < 400 << 20
    finally:
        tracemalloc.stop()
