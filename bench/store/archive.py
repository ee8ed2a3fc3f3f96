"""Results in one file, `NAME.tar.xz`, for a repository or the supplement of a paper: read where a folder is read.

    CACHE/shared/archives/<SHA-256 of the file>/    the results folder that it holds

What others have packed is data. Only files that a results folder has, of sizes that they may have, come out of it; what
else lies in it is named. Nothing is written outside that folder, whatever a name, a link or a size in it says.
"""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import RawIOBase
from pathlib import Path
from typing import IO

from bench.data.cache import cache_folder
from bench.errors import UsageError
from bench.store.address import is_address
from bench.store.checksums import digest
from bench.store.foreign_files import LEFT_OUT, MIB, MOST_LEFT_OUT, TUNED, most_bytes, stranger, too_large
from bench.store.formats import MARK
from bench.store.tables import LEAST_REFUSED, MOST_TIMES
from bench.writing import aside_of, sweep, whole, why_refused

SUFFIX = ".tar.xz"
Member = tuple[tarfile.TarInfo, Callable[[], IO[bytes] | None]]  # with what opens it
PRESET = 6 | lzma.PRESET_EXTREME  # slower, but packed once, and kept in repositories for good
EPOCH = 0  # when every file was written: the same results are the same archive
TRIES = 5  # to read an archive that others write


def is_archive(place: Path | str) -> bool:
    """Whether a place is a file with results in it, by its name."""
    return str(place).endswith(SUFFIX) and not is_address(place) and not Path(place).is_dir()


def no_folder(place: Path | str) -> str:
    """What a place is that results can lie in, and that is no folder of this machine; else nothing."""
    return "on the hub" if is_address(place) else "an archive" if is_archive(place) else ""


def write_archive(folder: Path, names: list[str], to: Path, instead: object = ...) -> None:
    """Write files of a results folder, called by their paths in it, into an archive, whole or not at all. Overtaken
    where another archive stands there than the one whose `mark` (bench.writing) `instead` is.
    """

    def bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = EPOCH
        member.uname = member.gname = ""
        member.mode = 0o644
        return member

    with (
        whole(to, instead=instead) as place,
        lzma.open(place, "wb", preset=PRESET) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(names, key=lambda name: (Path(name).name, name)):  # alike ones together: smaller
            archive.add(folder / name, name, recursive=False, filter=bare)


def unpacked(path: Path) -> Path:
    """The results folder that an archive holds, made where it has not been yet. UsageError for a file that is none, and
    for one that is another each time it is looked at.
    """
    for _ in range(TRIES):
        folder = cache_folder() / "shared" / "archives" / _digest(path)
        if folder.is_dir():
            return folder
        if _unpack(path, folder):
            return folder
    raise UsageError(f"{path} is written while it is read; read it again later")


def _digest(path: Path) -> str:
    try:
        return digest(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error})") from None


def _unpack(path: Path, folder: Path) -> bool:
    """Whether an archive's results are in a folder now. Not where it is no longer the file with the checksum that
    the folder is called by.
    """
    sweep(folder)
    aside = aside_of(folder)
    try:
        aside.mkdir(parents=True)
        with _reading(path) as members:
            _take_out(path, members, aside)
        if _digest(path) != folder.name:
            return False
        if not folder.is_dir():  # another process may have been faster
            aside.rename(folder)
        return True
    except OSError as error:
        refused = f"cannot unpack {path} in {folder.parent}: {why_refused(error) or error}"
        raise UsageError(f"{refused}; TUNING_BENCH_CACHE says where else") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _reading(path: Path) -> Iterator[Iterator[Member]]:
    """Its members, one after the other. UsageError where the file is no archive, is cut or damaged, or holds far more
    than its size lets expect.
    """
    most = max(LEAST_REFUSED, MOST_TIMES * path.stat().st_size)
    try:
        with lzma.open(path) as packed:
            content = _Bounded(packed, most)
            with tarfile.open(fileobj=content, mode="r|") as archive:
                yield _members(archive, most)
            while content.read(MIB):  # what checks the last members stands behind them
                pass
    except UsageError:
        raise
    except _TooLarge:
        raise UsageError(f"{path} holds more than {most:,} bytes, {MOST_TIMES} times its size or more") from None
    except (lzma.LZMAError, EOFError, tarfile.TarError, ValueError) as error:
        raise UsageError(f"{path} is no archive of results, or not a whole one ({error})") from None


def _members(archive: tarfile.TarFile, most: int) -> Iterator[Member]:
    for member in archive:
        if archive.offset > most:  # where the next one would begin: tarfile reads that far, also behind the end
            raise _TooLarge
        yield member, partial(archive.extractfile, member)


class _TooLarge(Exception):
    """More than a file of its size may hold."""


class _Bounded(RawIOBase):
    """What is packed, as far as it may go: a header, too, can say that it is as long as it likes."""

    def __init__(self, content: IO[bytes], most: int) -> None:
        self.content, self.left = content, most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        got = self.content.read(size if 0 <= size <= self.left else self.left + 1)
        self.left -= len(got)
        if self.left < 0:
            raise _TooLarge
        return got


def _take_out(path: Path, members: Iterator[Member], folder: Path) -> None:
    """Write an archive's results into a new folder, with a list of what is left out.

    Plans get the times of their order: of two choices by the same trials the later file's counts.
    """
    lines: list[str] = []
    seen: set[str] = set()
    for number, (member, opened) in enumerate(members):
        if member.isdir() or (member.isreg() and TUNED.fullmatch(member.name)):
            continue
        is_plain = member.isreg() and not member.issparse() and member.name not in seen
        if most_bytes(member.name) is None or not is_plain:
            lines.append(stranger(member.name))
        elif line := too_large(member.name, member.size):
            lines.append(line)
        else:
            seen.add(member.name)
            target = folder / member.name
            target.parent.mkdir(exist_ok=True, parents=True)
            source = opened()
            assert source is not None, "a regular file has content"
            with target.open("xb") as file:
                shutil.copyfileobj(source, file)
            os.utime(target, (number, number))
        if len(lines) > MOST_LEFT_OUT:
            raise UsageError(f"{path} has more than {MOST_LEFT_OUT} files that no results folder has: {lines[0]} …")
    if MARK not in seen:
        raise UsageError(f"{path} holds no results (no {MARK} in it); `bench push FOLDER --to {path.name}` packs some")
    (folder / LEFT_OUT).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
