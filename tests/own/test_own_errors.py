"""What a user's file is not is said in one line, with what to do."""

from __future__ import annotations

import gzip
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bench.data.files import read
from bench.errors import UsageError
from bench.own.places import lying
from bench.own.suite import with_own_data
from bench.request import RunRequest
from tests.own.mails import Rows, mails, own, write


def of(**columns: Any) -> Rows:
    """Sixty mails with some columns made anew, of their number."""
    return [{**row, **{name: make(at) for name, make in columns.items()}} for at, row in enumerate(mails())]


def refusal(data: Path, **asked: Any) -> str:
    with pytest.raises(UsageError) as error:
        own(data, **asked)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("rows", "asked", "message"),
    [
        (mails(), {"label": "taem"}, "m.csv has no column 'taem'; did you mean 'team'? it has 'body', 'team'"),
        (mails(), {"text": "Body", "label": "team"}, "m.csv has no column 'Body'; did you mean 'body'?"),
        (mails(), {"text": "team", "label": "team"}, "column 'team' of m.csv cannot be the text and the label at once"),
        (mails(), {"kind": "tagging"}, "--kind tagging: m.csv has 'body' ("),
        (mails(), {"split_by": "team"}, "--split-by team: its values are 'press' 20, 'sales' 20, 'support' 20; they"),
        (of(team=lambda at: "a"), {}, "m.csv: label column 'team' has one class, 'a', in all 60 rows; there"),
        (of(team=lambda at: f"x{at}"), {"label": "team"}, "has 60 different values in 60 rows, like 'x0': are they"),
        (of(team=lambda at: f"2024-01-{at:02}"), {"label": "team"}, "are they ids, dates or free text?"),
        (of(team=lambda at: "" if at % 2 else "ab"[at % 4 // 2]), {"label": "team"}, "in 30 rows (lines 3, 5, 7,"),
        (of(team=lambda at: ""), {"label": "team"}, "m.csv: label column 'team' is empty in all 60 rows"),
        (of(body=lambda at: ""), {"text": "body", "label": "team"}, "has no rows that can be used: 60 × an empty"),
        (of(more=lambda at: f"c d e{at}"), {}, "m.csv: which columns are the text and the label? It has 'body' ('"),
        (of(more=lambda at: f"c d e{at}"), {}, "say it, like --text body --label team"),
        ([{"text": f"a {at}"} for at in range(9)], {}, "m.csv has one column, 'text' ('a 0'); a text and its"),
    ],
)  # fmt: skip
def test_columns_that_make_no_task_are_named(tmp_path: Path, rows: Rows, asked: dict[str, Any], message: str) -> None:
    assert message in refusal(write(tmp_path / "m.csv", rows), **asked)


def test_a_first_line_that_is_a_row_is_no_header(tmp_path: Path) -> None:
    data = write(tmp_path / "m.csv", mails())
    data.write_text(data.read_text().partition("\n")[2])
    assert "looks like a row, not like names of columns; put a line in front" in refusal(data)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("m.xlsx", zipped, "it is a spreadsheet; save the sheet as CSV"),
        ("m.zip", zipped, "it is a zip archive; unpack it and name the file in it"),
        ("m.pkl", lambda path: path.write_bytes(pickle.dumps([1])), "it is a pickle, which could run anything"),
        ("m.csv", lambda path: path.write_bytes(gzip.compress(b"a,b")), "packed with gzip; let its name end in .gz"),
        ("m.csv", lambda path: path.write_text(""), "m.csv has no rows; a table's first line names its columns"),
        ("m.csv", lambda path: path.write_text("a,b\n1,2,3\n"), "m.csv:2: 3 cells, but the header names 2"),
        ("m.txt", lambda path: path.write_text("one two\nthree\n"), "It was read as a column file (a word and its tag"),
        ("m.txt", lambda path: path.write_text("a NN\n\nb NN\n"), "no column holds tags (O, B-PER, I-PER …)"),
        ("m", lambda path: path.mkdir(), "no data file in it"),
        ("m", lambda path: None, "no such file or folder"),
    ],
)
def test_a_file_that_is_none_says_what_to_do(tmp_path: Path, name: str, make: Any, message: str) -> None:
    make(tmp_path / name)
    assert message in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"text": "body"}, "--text: of which data? Give --data FILE too"),
        (
            {"data": "FILE", "suite": "glue", "label": "team"},
            "--suite glue has tasks of its own; for --label leave it out",
        ),
        ({"data": "FILE", "tasks": ("rte",)}, "--tasks rte: --data "),
        ({"data": "hub:a b"}, "--data hub:a b: the form is hub:OWNER/NAME, with @REVISION and :CONFIG behind it"),
    ],
)
def test_flags_that_do_not_go_together_are_named(tmp_path: Path, asked: dict[str, Any], message: str) -> None:
    data = str(write(tmp_path / "m.csv", mails()))
    request = RunRequest(**{name: data if value == "FILE" else value for name, value in asked.items()})
    with pytest.raises(UsageError) as error:
        with_own_data(request)
    assert message in str(error.value)


def test_a_folder_that_is_a_suite_s_or_a_user_s_is_asked_about(tmp_path: Path) -> None:
    write(tmp_path / "SST-2" / "train.tsv", [{"sentence": "a", "label": "0"}])
    assert (
        refusal(tmp_path)
        == f"--data {tmp_path} has the data of --suite glue (sst2), --suite universal (sst2); give --suite"
    )
    write(tmp_path / "train.csv", mails())
    assert "its files fit --suite glue (sst2)" in refusal(tmp_path)


def test_a_suite_s_folder_is_left_to_the_suite(tmp_path: Path) -> None:
    request = RunRequest(suite="glue", data=tmp_path)
    assert with_own_data(request) == (request, None)
    assert with_own_data(RunRequest()) == (RunRequest(), None)


DESCRIPTIONS = {
    "no JSON": b"{",
    "too deep": b"[" * 100_000,
    "no splits": b"[]",
    "a number": b'{"splits": [1]}',
    "elsewhere": b'{"splits": ["../train"]}',
    "too long": b'{"splits": ["%s"]}' % (b"n" * 5000),
    "no text": b'{"splits": ["\xff"]}',
}


@pytest.mark.parametrize("content", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_spoiled_description_of_splits_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dataset_dict.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"^cannot read .*dataset_dict.json: ") as refused:
        lying(tmp_path)
    assert len(str(refused.value)) < 1000


def test_a_pipe_and_a_device_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    for place in (tmp_path / "rows.csv", Path("/dev/zero")):
        with pytest.raises(UsageError, match="it is a pipe or a device; give a file"):
            list(read(place))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"label": "tags"}, "a.conll is a column file: give the number of a column, 1 to 2, not 'tags'"),
        ({"text": "1", "label": "9"}, "a.conll is a column file: give the number of a column, 1 to 2, not '9'"),
        ({"label": "2", "kind": "classification"}, "a.conll has no column '2'"),
        ({"label": "2", "kind": "span"}, "--kind span: a.conll has "),
        ({"group": "speaker"}, "a.conll has no column 'speaker'"),
        ({"id": "number"}, "a.conll has no column 'number'"),
        ({"split_by": "fold"}, "a.conll has no column 'fold'"),
    ],
)
def test_columns_that_a_column_file_does_not_have(tmp_path: Path, asked: dict[str, Any], message: str) -> None:
    data = tmp_path / "a.conll"
    data.write_text("Ada B-PER\nwrites O\n\n" * 20)
    assert message in refusal(data, **asked)
