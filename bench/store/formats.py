"""The formats of results folders, and how what an older version wrote is read: the only place that knows of them.

`store.json` says the newest format of anything in the folder. Before a first file of this version is written into an
older folder its mark is raised, so that an older version refuses the folder instead of misreading it; what lies there
stays as it is, and is read by the format that each file says itself.

    3  records and other JSON without checksums; examples/<key>.parquet
    4  JSON files sealed (bench.store.seal); a record knows the SHA-256 of its cell's other files; the name of a file of
       examples has its own
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.store.files import content_of
from bench.store.seal import KEY, Spoiled
from bench.writing import write_text

FORMAT = 4
READ = (3, 4)
MARK = "store.json"


class OtherFormat(UsageError):
    """What another version wrote, and this one cannot read."""


def mark_text() -> str:
    return json.dumps({"format": FORMAT}) + "\n"


def format_of(folder: Path) -> int:
    """The format of a results folder. UsageError where its mark cannot be read, OtherFormat for one not known here."""
    mark = folder / MARK
    try:
        written = json.loads(content_of(mark).decode()).get("format")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise UsageError(f"{mark} is not readable as JSON ({error}); restore it or choose another --out") from None
    if written not in READ or type(written) is not int:
        known = " and ".join(map(str, READ))
        raise OtherFormat(
            f"{folder} was written in results format {written}, this version reads formats {known}; "
            "choose another --out, or use the version that wrote it"
        )
    return written


def raise_mark(folder: Path, aside: Path) -> None:
    """Say that a results folder has files of this version; `aside` is a place of this writer's own in it."""
    if (folder / MARK).exists() and format_of(folder) != FORMAT:
        write_text(folder / MARK, mark_text(), aside)


def current_record(raw: dict[str, Any], is_sealed: bool, path: Path) -> dict[str, Any]:
    """The fields of a record as this version has them. OtherFormat for one of a format not known here."""
    written = raw.get("format")
    if written not in READ or type(written) is not int:
        raise OtherFormat(
            f"{path} is of results format {written}, this version reads formats {' and '.join(map(str, READ))}; "
            "use the version that wrote it"
        )
    if written == 3:
        return _from_3(raw, path)
    if not is_sealed:
        raise Spoiled(f"{path} is not what was written: it has no checksum")
    return {name: value for name, value in raw.items() if name != KEY}


def _from_3(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """A record that knows nothing of its files."""
    for name in (KEY, "files"):
        if name in raw:
            raise Spoiled(f"{path} is not what was written: results format 3 has no {name}")
    return raw
