"""The files that a results folder of others may have, by their names, and how large each may be."""

from __future__ import annotations

import re

MIB = 2**20
ID = r"[0-9a-f]{16}"
MOST_BYTES = {  # files of a results folder by their names, and how large each may be
    re.compile(r"store\.json"): MIB,
    re.compile(rf"cells/{ID}/record\.json"): 16 * MIB,
    re.compile(rf"cells/{ID}/predictions\.parquet"): 256 * MIB,
    re.compile(rf"cells/{ID}/terms\.parquet"): 256 * MIB,
    re.compile(rf"failed/{ID}\.json"): 16 * MIB,
    re.compile(rf"plans/{ID}\.json"): 256 * MIB,
    re.compile(r"suites/[\w.%~-]+\.json", re.ASCII): 16 * MIB,
    re.compile(rf"alone/{ID}\.json"): MIB,
    re.compile(rf"examples/{ID}(-{ID})?\.parquet"): 1024 * MIB,
}
TUNED = re.compile(rf"cells/{ID}/tuned\.safetensors")  # a report needs none
LEFT_OUT = "left-out.txt"  # beside them: what else lay there, a line each
MOST_LEFT_OUT = 100


def most_bytes(name: str) -> int | None:
    """Most bytes of a file of that name; None of one that a results folder does not have."""
    return next((limit for form, limit in MOST_BYTES.items() if form.fullmatch(name)), None)


def stranger(name: str) -> str:
    """The line about a file that no results folder has."""
    return f"{_shown(name)} is no file of a results folder"


def too_large(name: str, size: int) -> str:
    """The line about a file of so many bytes, where that is more than one of its name may have; else ""."""
    limit = most_bytes(name)
    if limit is None or size <= limit:
        return ""
    return f"{_shown(name)} has {size / MIB:,.0f} MiB, and may have {limit / MIB:,.0f}"


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)
