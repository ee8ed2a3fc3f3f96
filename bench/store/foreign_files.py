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


def most_bytes(name: str) -> int | None:
    """Most bytes of a file of that name; None of one that a results folder does not have."""
    return next((limit for form, limit in MOST_BYTES.items() if form.fullmatch(name)), None)
