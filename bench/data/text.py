"""The text of a local file, and its lines, however it was saved."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import UsageError

_LINE_FEED = re.compile("\r*\n")  # a file that went through Windows' text mode twice has \r\r\n
_LINE_END = re.compile("\r*\n|\r")
# a byte order mark at a line's start, where it is no word by itself
_MARK = re.compile("(?:\\A|(?<=[\r\n]))\ufeff+(?=[^ \t]|[ \t]*(?:[\r\n]|\\Z))")
_ENCODINGS = (  # by a file's first bytes; UTF-32's begin with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
WIDE, CARRIAGE_RETURNS, MARKS = (
    "a file in UTF-16 or UTF-32",
    "a file whose lines end in \\r alone",
    "a file with byte order marks inside, removed",
)


LARGE = 64 << 20  # bytes; a larger file is read line by line where its format lets it
LEAST_REFUSED = 32 << 20  # bytes; a packed file that holds no more may repeat itself as it likes
MOST_TIMES = 100  # its own size that a packed file may hold; text packs to a third or a tenth
LONGEST_LINE = 64 << 20  # characters


def is_packed(path: Path) -> bool:
    """Whether a file is packed, as its name says."""
    return path.suffix.casefold() == ".gz"


def is_large(path: Path) -> bool:
    """Whether a file is too large to be held as a text, unpacked as its last bytes say. UsageError: unreadable."""
    try:
        size = path.stat().st_size
        if is_packed(path) and size >= 4:
            with path.open("rb") as file:
                file.seek(-4, os.SEEK_END)
                size = max(size, int.from_bytes(file.read(4), "little"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    return size > LARGE


def text_lines(path: Path, newline: str) -> Iterator[str]:
    """The lines of a large file with their ends, as `open` divides them by `newline`; memory holds one at a time.

    UsageError as `read_text`, and for a line of more than LONGEST_LINE characters.
    """
    number = 0
    try:
        with _opened(path) as file:
            text = io.TextIOWrapper(file, _encoding(file.peek(4)), newline=newline)
            while line := text.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE or "\0" in line:
                    what = "a NUL character" if "\0" in line else f"more than {LONGEST_LINE:,} characters"
                    raise UsageError(f"cannot read {path}: line {number} has {what}; give it as text in UTF-8")
                yield _MARK.sub("", line) if line.startswith("\ufeff") else line
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: {error} (after line {number}); give it as text in UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def _encoding(begin: bytes) -> str:
    return next((name for mark, name in _ENCODINGS if begin.startswith(mark)), "utf-8")


class _Unpacking(io.RawIOBase):
    """What a packed file holds, up to a bound: a few bytes can hold gigabytes. UsageError beyond it."""

    def __init__(self, path: Path) -> None:
        self._path, self._most = path, max(LEAST_REFUSED, MOST_TIMES * path.stat().st_size)
        self._file = gzip.GzipFile(path)
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        self._count += count
        if self._count > self._most:
            raise UsageError(
                f"cannot read {self._path}: it holds more than {self._most:,} bytes, {MOST_TIMES} times its size or "
                "more; unpack it and look"
            )
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _opened(path: Path) -> io.BufferedReader:
    return io.BufferedReader(_Unpacking(path), 1 << 20) if is_packed(path) else path.open("rb")


def read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """A file's text, unpacked where its name ends in `.gz`, and what was mended in it, by the reason.

    UsageError for what cannot be read, and for NUL characters, which no text has.
    """
    try:
        with _opened(path) as file:
            content = file.read()
        encoding = _encoding(content[:4])
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"cannot read {path}: {error} (line {number}); give it as text in UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    if "\0" in text:
        number = len(lines(text[: text.index("\0")]))
        raise UsageError(f"cannot read {path}: line {number} has a NUL character; give it as text in UTF-8")
    repaired = [WIDE] if not encoding.startswith("utf-8") else []
    if "\r" in text and "\n" not in text:
        repaired.append(CARRIAGE_RETURNS)
    if "\ufeff" in text:
        text, count = _MARK.subn("", text)
        repaired += [MARKS] if count else []
    return text, tuple(repaired)


def lines(text: str, returns: bool = True) -> list[str]:
    """Lines that end in \\n, \\r\\n, or \\r alone (that only if `returns`, or where there is no \\n).

    Unicode's other line ends are characters, which may be in a word or text: str.splitlines() would divide there.
    """
    return (_LINE_END if returns or "\n" not in text else _LINE_FEED).split(text)
