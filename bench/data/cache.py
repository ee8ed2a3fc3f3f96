"""Where what can be made again is kept: a folder that is the user's alone, and files that show if they are whole.

Whoever can write there could change numbers: ids of texts, what models have shown. So the folder must be the user's
own, and nobody else may write into it; a file carries a hash of its content, and one that does not fit is made anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from bench.errors import UsageError
from bench.writing import write_where_possible

VARIABLE = "TUNING_BENCH_CACHE"
MEND = f"remove it, or name another in {VARIABLE}"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
DIGEST = 32  # bytes of SHA-256, in front of what a file holds


def cache_folder() -> Path:
    """`TUNING_BENCH_CACHE`, else `tuning-bench` in the user's cache folder, made where it lacks; it may be deleted at
    any time.

    UsageError where it is not the user's, or others may write into it and that cannot be changed.
    """
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuning-bench"
    _own(folder)
    return folder


@cache
def _own(folder: Path) -> None:
    """Make a folder the user's alone; looked at once in a process."""
    try:
        _make(folder)
        facts = folder.stat()
    except OSError:  # it cannot be made, or not be looked at: then nothing is read from it either
        return
    if not stat.S_ISDIR(facts.st_mode):
        return
    if facts.st_uid != os.geteuid():
        raise UsageError(f"the cache {folder} is another user's (uid {facts.st_uid}), whose files are not used; {MEND}")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        try:
            folder.chmod(0o700)
        except OSError as error:
            if facts.st_mode & OTHERS_WRITE:
                reason = error.strerror or error
                raise UsageError(f"others may write into the cache {folder} ({reason}); chmod 700 it, {MEND}") from None


def kept_bytes(path: Path) -> bytes | None:
    """What `keep_bytes` wrote there, whole and unchanged; None where there is nothing of the kind."""
    try:
        held = path.read_bytes()
    except OSError:
        return None
    content = held[DIGEST:]
    return content if hashlib.sha256(path.name.encode() + content).digest() == held[:DIGEST] else None


def keep_bytes(path: Path, content: bytes) -> None:
    """Written whole or not at all, for the user alone, with a hash of its name and content; or not, where the disk
    takes nothing.
    """
    with suppress(OSError):
        _make(path.parent)
    digest = hashlib.sha256(path.name.encode() + content).digest()
    write_where_possible(path, digest + content, mode=0o600)


def _make(folder: Path) -> None:
    """A folder of the cache, with those above it that lack, for the user alone."""
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
