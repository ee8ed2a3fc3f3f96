"""Files of other formats: what they are by their first bytes, and what to do with them."""

from __future__ import annotations

from pathlib import Path

from bench.errors import UsageError

_SHEET = "save the sheet as CSV"
_PICKLE = "a pickle, which could run anything and is not opened; save the rows as parquet, JSON lines or CSV"
_MARKS = (  # the first that fits
    (b"\xd0\xcf\x11\xe0", f"an old Excel or Word file; {_SHEET}"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it and name the file in it"),
    (b"Rar!", "a RAR archive; unpack it and name the file in it"),
    (b"\xfd7zXZ", "packed with xz; unpack it, or pack it with gzip"),
    (b"BZh", "packed with bzip2; unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd; unpack it, or pack it with gzip"),
    (b"SQLite format 3", "an SQLite database; write the table as CSV or JSON lines"),
    (b"ARROW1", "a Feather file; save it as parquet"),
    (b"\x93NUMPY", "a NumPy array; save texts and labels as CSV or JSON lines"),
    (b"\x89HDF", "an HDF5 file; save the table as parquet"),
    (b"ORC", "an ORC file; save the table as parquet"),
    (b"%PDF", "a PDF"),
)
_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


def check_format(path: Path) -> None:
    """UsageError for a file that is no text, no parquet and not packed as its name says."""
    try:
        with path.open("rb") as file:
            begin = file.read(16)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    name = path.name.casefold()
    what = next((said for mark, said in _MARKS if begin.startswith(mark)), "")
    if begin.startswith(_ZIP):
        is_sheet = name.endswith((".xlsx", ".xlsm", ".ods"))
        what = f"a spreadsheet; {_SHEET}" if is_sheet else "a zip archive; unpack it and name the file in it"
    elif begin.startswith(_PICKLES) or name.endswith((".pkl", ".pickle")):
        what = _PICKLE
    elif begin.startswith(_GZIP) and not name.endswith(".gz"):
        what = "packed with gzip; let its name end in .gz"
    if what:
        raise UsageError(f"cannot read {path}: it is {what}")
