"""A name as a part of a path, on every system."""

from __future__ import annotations

import hashlib
import re

from bench.escaping.unseen import in_a_line

LONGEST = 100  # bytes: with what stands around it a name stays below the 255 of file systems
_FORBIDDEN = re.compile(r'[<>:"/\\|?*%]|^[.\s]+|[.\s]+$')  # by Windows; dots that hide a file or lead to another folder
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # Windows' devices


def file_part(name: str) -> str:
    """The name where every system takes it; else what is left of it, and eight digits that tell it from others.

    It can stand alone: it is never empty, hidden, or a device.
    """
    shown = _FORBIDDEN.sub("_", in_a_line(name))
    if shown == name and len(name.encode()) <= LONGEST and not _RESERVED.match(name) and name:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = shown.encode()[: LONGEST - len(mark) - 1].decode("utf-8", "ignore")
    return f"{mark}-{kept}" if _RESERVED.match(kept) else f"{kept}-{mark}"
