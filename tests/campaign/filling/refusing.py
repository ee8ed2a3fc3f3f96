"""Calls that fail: a library before all others counts those that change some folders (disk.c), and fails the n-th."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

MAKE, WRITE, FLUSH, OPEN, REMOVE, REPLACE = 1, 2, 4, 8, 16, 32  # as in disk.c
ALL = MAKE | WRITE | FLUSH | OPEN | REMOVE | REPLACE
SOURCE = Path(__file__).with_name("disk.c")


@dataclass(frozen=True)
class Refusal:
    """In what way a disk refuses: which calls fail, with which error, once or from then on."""

    name: str
    number: int
    kinds: int
    lasting: bool

    @property
    def removes(self) -> bool:
        """Whether files can be removed all the time."""
        return not self.kinds & REMOVE

    @property
    def takes_back(self) -> bool:
        """Whether what was renamed can be renamed back."""
        return not (self.kinds & REPLACE and self.lasting)


REFUSALS = (
    Refusal("bytes", errno.ENOSPC, MAKE | WRITE | FLUSH, lasting=True),
    Refusal("inodes", errno.ENOSPC, MAKE, lasting=True),
    Refusal("quota", errno.EDQUOT, MAKE | WRITE | FLUSH, lasting=True),
    Refusal("broken", errno.EIO, ALL, lasting=True),
    Refusal("read-only", errno.EROFS, ALL, lasting=True),
    Refusal("bytes for a moment", errno.ENOSPC, MAKE | WRITE | FLUSH, lasting=False),
    Refusal("broken for a moment", errno.EIO, ALL, lasting=False),
)
COUNTED = Refusal("none", 0, ALL, lasting=False)


def with_library(module: str) -> None:
    """Have this process begin again with the library, unless it has it. SystemExit where no compiler can make it."""
    if hasattr(ctypes.CDLL(None), "disk_arm"):
        return
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        raise SystemExit("this campaign wants Linux and a C compiler, for the library by which calls fail")
    library = Path(tempfile.mkdtemp(prefix="full-library-")) / "disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    os.environ["LD_PRELOAD"] = str(library)
    os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])


def arm(roots: Collection[Path], refusal: Refusal, at: int, heard: Path | None = None) -> Callable[[], None]:
    """Let the so-many-th call that changes these folders fail, in a fork; 0: none. `heard`: where each is noted."""

    def armed() -> None:
        log = os.open(heard, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644) if heard else -1
        disk = ctypes.CDLL(None)
        places = "\n".join(map(str, roots)).encode()
        disk.disk_arm(places, ctypes.c_long(at), refusal.number, int(refusal.lasting), refusal.kinds, log)

    return armed
