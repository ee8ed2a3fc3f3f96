"""Files are whole or not there, whichever call the disk refuses; what a killed writer leaves is swept when old."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import DiskError, UsageError
from bench.writing import (
    DAY,
    aside_of,
    is_aside,
    scratch,
    sweep,
    telling,
    whole,
    whole_folder,
    why_refused,
    write_text,
    write_together,
    write_where_possible,
)

FULL = OSError(errno.ENOSPC, "No space left on device")
CALLS = ["pathlib.Path.mkdir", "pathlib.Path.write_text", "os.fsync", "os.replace"]
Break = Callable[..., None]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Break:
    """broken(call, error): from here on this call fails."""

    def let_fail(call: str, error: Exception = FULL) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(call, fail)

    return let_fail


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_refused_file_leaves_what_stood_there(tmp_path: Path, broken: Break, call: str, is_there: bool) -> None:
    path = tmp_path / "below" / "x.txt"
    if is_there:
        write_text(path, "before")
    broken(call)
    if is_there and call.endswith("mkdir"):
        return  # it is not called
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "after")
    assert (path.read_text() if path.exists() else None) == ("before" if is_there else None)
    assert [name for name in names(tmp_path) if name != "below"] == (["x.txt"] if is_there else [])


@pytest.mark.parametrize("call", [*CALLS, "pathlib.Path.iterdir"])
def test_what_can_be_made_again_costs_no_result(tmp_path: Path, broken: Break, call: str) -> None:
    broken(call)
    write_where_possible(tmp_path / "below" / "x.txt", b"x")
    assert [name for name in names(tmp_path) if name not in ("below", "x.txt")] == []


def test_another_error_than_the_disks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: {}["y"])
    with pytest.raises(KeyError):
        write_where_possible(tmp_path / "x", b"")
    assert names(tmp_path) == []


def test_an_error_while_writing_leaves_nothing_aside(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path / "x")
    assert names(tmp_path) == []


def _interrupted(path: Path) -> None:
    with whole(path) as place:
        place.write_text("half")
        raise KeyboardInterrupt


def test_a_link_stays_one_and_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write_text(tmp_path / "link", "through it")
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "file").read_text()) == (True, "through it")
    write_text(Path(os.devnull), "nowhere")
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_is_whole_or_not_there(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "folder"
    if is_there:
        folder.mkdir()
    with pytest.raises(OSError, match="No space left"):
        _half_of(folder)
    assert names(tmp_path) == (["folder"] if is_there else [])
    with whole_folder(folder) as aside:
        for name in ("a", "b"):
            (aside / name).write_text(name)
    assert names(tmp_path) == ["a", "b", "folder"]


def _half_of(folder: Path) -> None:
    with whole_folder(folder) as aside:
        (aside / "a").write_text("a")
        raise FULL


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_files_come_together_or_stay_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: int) -> None:
    write_together(tmp_path / "r", {"a": b"old", "b": b"old"})
    replace, calls = os.replace, []

    def third(*paths: Any) -> None:
        calls.append(paths)
        if len(calls) == turn:
            raise OSError(errno.EIO, "Input/output error")
        replace(*paths)

    with monkeypatch.context() as disk:
        disk.setattr("os.replace", third)
        with pytest.raises(OSError, match="Input/output"):
            write_together(tmp_path / "r", {"a": b"new", "b": b"new", "c": b"new"})
    assert {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()} == {"a": b"old", "b": b"old"}


def test_what_is_a_day_old_is_swept_and_what_is_younger_or_of_another_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    old, young, others = aside_of(path), aside_of(path), aside_of(tmp_path / "y.txt")
    for each in (old, young, others):
        each.write_text("")
    for each in (old, others):
        os.utime(each, (0, each.stat().st_mtime - DAY - 60))
    sweep(path)
    assert sorted(tmp_path.iterdir()) == sorted([young, others])


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127, "a.b", ".hidden"])
def test_a_name_aside_is_one_that_a_file_can_have(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "x")
    assert names(tmp_path) == [name]
    assert is_aside(aside_of(tmp_path / name))
    assert not is_aside(tmp_path / name)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (FULL, "no space left on the disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left in the quota on the disk"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (ValueError("I/O error: No space left on device (os error 28)"), "no space left on the disk"),
        (ValueError("I/O error: Input/output error (os error 5)"), "Input/output error"),
        (RuntimeError("[Errno 122] Error writing bytes to file"), "no space left in the quota on the disk"),
        (ValueError("shapes do not fit"), None),
    ],
)
def test_why_a_disk_refused(error: Exception, why: str | None) -> None:
    assert why_refused(error) == why


def test_a_full_disk_of_temporary_files_is_one_line_that_names_it() -> None:
    with pytest.raises(UsageError, match=r"^cannot use the folder for temporary .*: no space left on the disk; TMP"):
        _fill_scratch()
    with pytest.raises(UsageError, match=r"^cannot write to there: File too large; instead$"):
        _tell(OSError(errno.EFBIG, "File too large"))


def _fill_scratch() -> None:
    with scratch("bench-test-") as folder:
        assert folder.is_dir()
        raise DiskError(f"no space left on the disk of {folder}; finished cells are kept") from FULL


def _tell(error: Exception) -> None:
    with telling("write to", Path("there"), "instead"):
        raise error
