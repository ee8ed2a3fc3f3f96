"""Files of a user's own that are packed, by gzip or otherwise: whole, spoiled, packed twice, unpacking to far more."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.campaign.fuzzing import reading
from tests.campaign.fuzzing.samples import ENTITIES, LINES, TABLE
from tests.campaign.fuzzing.target import Broken, Case, Target

NAMES = ("data.csv.gz", "data.jsonl.gz", "data.gz", "data.txt.gz", "data.csv", "data.zip", "data.csv.xz", "data.xlsx")
MEMBER = {TABLE: "data.csv", LINES: "data.jsonl", ENTITIES: "data.txt"}
COUNTED = 2 << 20  # bytes
COUNTED_NAMES = ("data.csv.gz", "data.jsonl.gz")


def _cases() -> SearchStrategy[Case]:
    content = st.sampled_from((TABLE, LINES, ENTITIES))
    packed = content.map(gzip.compress)
    several = st.builds(lambda one, other: one + other, packed, packed)
    large = st.sampled_from([_large(size) for size in (1 << 20, 40 << 20, 400 << 20)])
    others = st.one_of(content.map(lzma.compress), content.map(bz2.compress), content.map(_zipped))
    contents = st.one_of(packed, *[_spoiled(packed)] * 3, several, packed.map(gzip.compress), large, others)
    return st.fixed_dictionaries({"name": st.sampled_from(NAMES), "content": contents})


def _large(size: int) -> bytes:
    """So many bytes, packed to a thousandth: members of one mebibyte, which gzip reads one after the other."""
    return gzip.compress(b"text,label\n") + gzip.compress(b"a,b\n" * (1 << 18)) * (size >> 20)


def _zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MEMBER[content], content)
    return out.getvalue()


def _spoiled(packed: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """A byte gone or another one, the file cut off there, or more after its end."""

    def spoil(content: bytes, share: float, put: bytes, is_cut: bool) -> bytes:
        at = int(share * len(content))
        return content[:at] + put + (b"" if is_cut else content[at + 1 :])

    return st.builds(spoil, packed, st.floats(0, 1), st.sampled_from((b"", b"\xff", b"\0", b"more")), st.booleans())


def _read(case: Case, folder: Path) -> None:
    name, content = case["name"], case["content"]
    reading.write({name: content}, folder)
    reading.read_own(folder / name, {}, _rows(name, content))


def _rows(name: str, content: bytes) -> int | None:
    """The rows of what is whole and not too large to be counted here."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(COUNTED + 1)
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    is_counted = name in COUNTED_NAMES and len(unpacked) <= COUNTED
    return reading.rows_of(name.removesuffix(".gz"), unpacked) if is_counted else None


def _read_whole_only(case: Case, folder: Path) -> None:
    """Read it, and hold that what gzip itself cannot unpack is refused."""
    _read(case, folder)
    if case["name"].endswith(".gz"):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(case["content"])) as file:
                while file.read(1 << 20):
                    pass
        except (OSError, EOFError, zlib.error) as error:
            raise Broken(f"a packed file that is cut off or spoiled was read: {error}") from None


TARGETS = (Target("packed", _cases, _read_whole_only, reading.prepare, share=0.5),)
