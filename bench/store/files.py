"""Files of a results folder: read with the reason why one cannot be, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import DiskError, UsageError

MOST_BYTES = 2**29
Tree = TypeVar("Tree", list[Any], dict[str, Any])


def read_json(path: Path, kind: type[Tree]) -> Tree:
    """JSON of that kind. UsageError for a file that is none, or cannot be read."""
    return json_of(read_bytes(path), path, kind)


def content_of(path: Path) -> bytes:
    """What a file holds. OSError where it cannot be read, is a pipe or a device, which may never end, or is larger than
    any file that is read as a whole.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        if status.st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"it is larger than {MOST_BYTES >> 20} MiB")
    except OSError:
        os.close(handle)
        raise
    with open(handle, "rb") as file:
        return file.read()


def read_bytes(path: Path) -> bytes:
    """UsageError for a file that cannot be read."""
    try:
        return content_of(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error})") from None


def json_of(content: bytes, path: Path, kind: type[Tree]) -> Tree:
    """What a file holds, as `read_json` has it."""
    try:
        tree = json.loads(content.decode())
        if not isinstance(tree, kind):
            raise ValueError(f"it is no JSON {kind.__name__}")
        return tree
    except (ValueError, RecursionError) as error:  # the last: brackets in brackets, a thousand deep
        raise UsageError(f"{path} is not readable as JSON ({error}); run the grid again") from None


def write_text(path: Path, text: str, aside: Path | None = None, durable: bool = True) -> None:
    """Write a whole file or none: aside, flushed, renamed over the old one. What is not `durable` a power cut may take,
    or leave half of.

    `aside` is a folder of this writer's own on the same disk; by default it is written beside its place, under a name
    that no other writer has on whatever machine.
    """
    make_folder(path.parent)
    aside = (aside or path.parent) / f".{path.name}.{secrets.token_hex(8)}"
    try:
        aside.write_text(text, encoding="utf-8")
        if durable:
            flush(aside)
        aside.replace(path)
        if durable:
            flush(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, so that a power cut takes none of them."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        flush(folder.parent)


def flush(path: Path) -> None:
    """Have the disk keep what a file holds, or which names a folder has."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn a disk that is full, missing or closed to us into a DiskError."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or "No space left" in str(error):  # safetensors has an error of its own, which says so in words
            raise DiskError(
                f"no space left on the disk of {path}; finished cells are kept: free space and run again"
            ) from error
        if isinstance(error, OSError):
            raise DiskError(f"cannot use {path}: {error.strerror or error}; choose another --out") from error
        raise


def mark(path: Path) -> str | None:
    """What changes when a file does; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"


def look_anew(folder: Path) -> None:
    """Open a folder: a network file system then asks what is in it, where it would else go on for a minute to say that
    what another machine has put there is not.
    """
    with suppress(OSError):
        os.close(os.open(folder, os.O_RDONLY))


def check_writable(path: Path) -> None:
    """DiskError where a folder that is there, or the one that it is to be made in, is closed to us; nothing is made."""
    with on_disk(path):
        there = next(each for each in (path, *path.absolute().parents) if each.exists())
        if os.statvfs(there).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(there, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
