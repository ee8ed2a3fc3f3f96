"""The text of a local file, and its lines, however it was saved."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from pathlib import Path

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


def read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """A file's text, unpacked where its name ends in `.gz`, and what was mended in it, by the reason.

    UsageError for what cannot be read, and for NUL characters, which no text has.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), "utf-8")
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
