"""Files that are whole or not there: written aside, and put in their place by a rename. What a disk refuses, in words.

What is written aside is called `.NAME.<16 hex digits>`, beside its place and so on the same disk. A writer that is
killed leaves it there; the next one of the same file removes it when it is a day old.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bench.errors import DiskError, UsageError

DAY = 86_400  # seconds
LONGEST = 200  # bytes of a file's name in that of its place aside: a file system takes 255
FULL, NO_SPACE = (errno.ENOSPC, errno.EDQUOT), "no space left"
REFUSED = (*FULL, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ESTALE)
TEMPORARY = (Path(os.environ.get("TMPDIR", "/tmp")), "TMPDIR says where else")
_IN_WORDS = re.compile(r"\(os error (\d+)\)|\[[Ee]rrno (\d+)\]")  # libraries written in Rust; Arrow


def aside_of(path: Path) -> Path:
    """A new name beside a path, that no other writer has on whatever machine."""
    return path.with_name(f".{_beginning(path)}.{secrets.token_hex(8)}")


def _beginning(path: Path) -> str:
    return os.fsdecode(os.fsencode(path.name)[:LONGEST])


def is_aside(path: Path) -> bool:
    """Whether a name is one of those."""
    return bool(re.fullmatch(r"\..+\.[0-9a-f]{16}", path.name))


class Overtaken(Exception):
    """Somebody else has written a file meanwhile; it is as they left it."""


def mark(path: Path) -> str | None:
    """What changes when a file does; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"


@contextmanager
def whole(path: Path, aside: Path | None = None, durable: bool = True, instead: object = ...) -> Iterator[Path]:
    """A place to write a file at, which the file at `path` becomes when the block ends; an error leaves that as it was.

    `aside` is a folder of this writer's own on the same disk; by default it is written beside its place. What is not
    `durable` a power cut may take. A link stays one, and what is no file (a pipe, /dev/null) is written to as it is.
    With `instead`, the `mark` of what was there, another file there is Overtaken.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if path.exists() and not (path.is_file() or path.is_dir()):
        yield path
        return
    make_folder(path.parent) if durable else path.parent.mkdir(parents=True, exist_ok=True)
    place = aside_of(path) if aside is None else aside / aside_of(path).name
    try:
        yield place
        if durable:
            flush(place)
        _put(place, path, instead)
        if durable:
            flush(path.parent)
    finally:
        with suppress(OSError):  # the disk that has just refused may refuse this too
            place.unlink(missing_ok=True)


def _put(place: Path, path: Path, instead: object) -> None:
    """Rename a file to its place. With `instead` as in `whole`, under a lock of the folder where its disk has one."""
    if instead is ...:
        place.replace(path)
        return
    with ExitStack() as held:
        with suppress(OSError):
            handle = os.open(path.parent, os.O_RDONLY)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        if mark(path) != instead:
            raise Overtaken
        place.replace(path)


def write_text(path: Path, text: str, aside: Path | None = None, durable: bool = True) -> None:
    """Write a whole file or none; see `whole`."""
    with whole(path, aside, durable) as place:
        place.write_text(text, encoding="utf-8")


def write_where_possible(path: Path, content: bytes, mode: int = 0o666) -> None:
    """As `whole`, of a file that can be made again: where the disk takes none, that costs time and no result.

    `mode` is what it may be used for by whom, less what the process's umask takes away.
    """
    try:
        sweep(path)
        with whole(path, durable=False) as place:
            place.touch(mode, exist_ok=False)
            place.write_bytes(content)
    except Exception as error:
        if why_refused(error) is None:
            raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write files into, which `path` becomes when the block ends, and none of it when that fails.

    Where `path` is there, and empty, its files are put into it: it may be a disk of its own.
    """
    is_new = not path.exists()
    sweep(path if is_new else path / path.name)
    place = aside_of(path) if is_new else aside_of(path / path.name)
    moved: list[Path] = []
    try:
        place.mkdir(parents=True)
        yield place
        files = sorted(place.rglob("*"))
        for each in files:
            flush(each)
        if is_new:
            place.rename(path)
        else:
            for each in sorted(place.iterdir()):
                moved.append(each.rename(path / each.name))
    except BaseException:
        for each in moved:
            shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder, all of them or none: an error leaves those of the same names as they were."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder / "files")
    aside, placed = aside_of(folder / "files"), list[str]()
    try:
        aside.mkdir()
        for name, content in contents.items():
            (aside / name).write_bytes(content)
            flush(aside / name)
        for name in contents:
            if (folder / name).is_file():
                link_or_copy(folder / name, aside / f"{name}.before")
        for name in contents:
            (aside / name).replace(folder / name)
            placed.append(name)
    except BaseException:
        for name in placed:
            before = aside / f"{name}.before"
            with suppress(OSError):
                before.replace(folder / name) if before.exists() else (folder / name).unlink()
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # it has files now, unless nothing could be written
                folder.rmdir()


def make_folder(path: Path) -> None:
    """Make a folder and those above it, so that a power cut takes none of them."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        flush(folder.parent)


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """A second name of a file, or where the disk has no such thing a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def sweep(path: Path) -> None:
    """Remove what writers of this file that were killed have left beside it: a day old, by the disk's own clock."""
    found = re.compile(rf"\.{re.escape(_beginning(path))}\.[0-9a-f]{{16}}")
    with suppress(OSError):
        left = [each for each in path.parent.iterdir() if found.fullmatch(each.name)]
        if not left:
            return
        now = _touched(aside_of(path))
        for each in left:
            if now - each.stat().st_mtime > DAY:
                shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)


def _touched(path: Path) -> float:
    """The time that a new file gets here: another machine's clock may differ from ours."""
    path.touch(exist_ok=False)
    try:
        return path.stat().st_mtime
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A folder for temporary files that is gone afterwards; where its disk takes no more, that is a UsageError."""
    with telling("use the folder for temporary files", *TEMPORARY):
        try:
            with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
                yield Path(folder)
        except DiskError as error:  # a results folder was made there: it is no fault of the one that is asked for
            raise error.__cause__ or error from None


def flush(path: Path) -> None:
    """Have a file or a folder on the disk itself before anything else is done."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def telling(what: str, path: Path, instead: str) -> Iterator[None]:
    """Within the block what the disk refuses is a UsageError: "cannot `what` `path`: why; `instead`"."""
    with refusals(lambda why: UsageError(f"cannot {what} {path}: {why}; {instead}")):
        yield


@contextmanager
def refusals(told: Callable[[str], UsageError]) -> Iterator[None]:
    """Within the block what the disk refuses is the error that is told of it; `told` gets why, in words."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        why = why_refused(error)
        if why is None:
            raise
        raise told(why) from error


def why_refused(error: BaseException) -> str | None:
    """Why the disk refused, in words; None for an error that is not the disk's.

    Libraries have errors of their own for it, which have the system's number in words alone (safetensors, tokenizers).
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := _IN_WORDS.search(str(error))):
        number = int(found[1] or found[2])
    if number in FULL or "No space left" in str(error):
        return f"{NO_SPACE} on the disk" if number != errno.EDQUOT else f"{NO_SPACE} in the quota on the disk"
    if number is not None and (isinstance(error, OSError) or number in REFUSED):
        return os.strerror(number)
    return str(error) if isinstance(error, OSError) else None
