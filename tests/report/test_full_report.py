"""A disk that takes no more while a report is written: none of its files is cut, and the report of before stays."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.writing import is_aside
from tests.report.conftest import write_report

FORMATS = {"md", "png", "svg"}


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Within the block the system refuses to let a file grow beyond so many bytes, whoever writes it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}


@pytest.fixture
def results(cell: Any, record: Any, store: Any) -> Any:
    return store([record(cell(model=model), score) for model, score in (("small", 60.0), ("medium", 70.0))])


def test_a_picture_that_does_not_fit_leaves_the_report_of_before(results: Any, cell: Any, record: Any) -> None:
    folder = results.path / "report"
    write_report([results.path], FORMATS, {})
    before = contents(folder)
    largest = max(len(content) for name, content in before.items() if name.endswith(".png"))
    results.write(record(cell(model="large"), 80.0))
    with no_file_above(largest // 2), pytest.raises(UsageError) as refused:
        write_report([results.path], FORMATS, {})
    said = f"cannot write the report to {folder}: File too large; what stood there is as it was: free space, or choose"
    assert str(refused.value) == f"{said} another --to"
    assert contents(folder) == before
    write_report([results.path], FORMATS, {})
    after = contents(folder)
    assert {name for name, content in after.items() if content == before[name]} <= {"figures.md"}
    assert all(content.endswith(b"IEND\xaeB`\x82") for name, content in after.items() if name.endswith(".png"))


def test_where_none_stood_none_of_it_stands(results: Any) -> None:
    with no_file_above(2000), pytest.raises(UsageError, match="cannot write the report"):
        write_report([results.path], FORMATS, {})
    assert not (results.path / "report").exists()


@pytest.mark.parametrize("turn", range(4))
def test_a_rename_that_fails_puts_back_what_was_renamed(
    results: Any, cell: Any, record: Any, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """Names of files are not changed at once: where the disk breaks in between, each gets its old content back."""
    folder = results.path / "report"
    write_report([results.path], {"md", "csv"}, {})
    before = contents(folder)
    results.write(record(cell(model="large"), 80.0))
    replace, calls = os.replace, []

    def once(*paths: Any) -> None:
        calls.append(paths)
        if len(calls) == turn + 1:
            raise OSError(errno.EIO, "Input/output error")
        replace(*paths)

    with monkeypatch.context() as disk:
        disk.setattr("os.replace", once)
        with pytest.raises(UsageError, match="Input/output error"):
            write_report([results.path], {"md", "csv"}, {})
    assert len(calls) == 2 * turn + 1
    assert contents(folder) == before
    assert [path for path in folder.iterdir() if is_aside(path)] == []
