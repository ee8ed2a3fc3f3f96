"""Files of a results folder: read with the reason why one cannot be, and what its disk refuses."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import DiskError, UsageError
from bench.writing import NO_SPACE, refusals

MOST_BYTES, PIECE = 2**29, 2**20
Tree = TypeVar("Tree", list[Any], dict[str, Any])


def read_json(path: Path, kind: type[Tree]) -> Tree:
    """JSON of that kind. UsageError for a file that is none, or cannot be read."""
    return json_of(read_bytes(path), path, kind)


def content_of(path: str | Path) -> bytes:
    """What a file holds. OSError where it cannot be read, is a pipe or a device, which may never end, or is larger than
    any file that is read as a whole.
    """
    return b"".join(pieces(path, MOST_BYTES))


def pieces(path: str | Path, most: int | None = None) -> Iterator[bytes]:
    """What a file holds, piece by piece; OSError as `content_of` has it, for one that is larger than `most` bytes.

    Of ten thousand cells Python's own file objects take longer to make than the disk to read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        if most is not None and status.st_size > most:
            raise OSError(errno.EFBIG, f"it is larger than {most >> 20} MiB")
        while piece := os.read(handle, PIECE):
            yield piece
    finally:
        os.close(handle)


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


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn a disk that is full, missing or closed to us into a DiskError."""

    def told(why: str) -> DiskError:
        if why.startswith(NO_SPACE):
            return DiskError(f"{why} of {path}; finished cells are kept: free space and run again")
        return DiskError(f"cannot use {path}: {why}; choose another --out")

    with refusals(told):
        yield


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
        if not there.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if os.statvfs(there).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(there, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
