"""What a `bench` command takes: time, memory, handles in a process of its own; calls and opened files in this one."""

from __future__ import annotations

import cProfile
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.long_grid import ROOT, environment

LOOK_EVERY = 0.2  # seconds
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Look:
    """At a running process: cells finished by then, bytes of memory, open handles."""

    cells: int
    memory: int
    handles: int


@dataclass
class Taken:
    """What a command in a process of its own took; seconds are the processor's, so that a busy machine is no excuse."""

    code: int
    out: str
    err: str
    seconds: float
    peak_bytes: int
    looks: list[Look] = field(default_factory=list)


def watched(*arguments: object, cells: Callable[[], int] = lambda: 0) -> Taken:
    """Run `bench ARGUMENTS` and look at it until it ends. Linux only: what it has open stands in /proc."""
    before, looks = resource.getrusage(resource.RUSAGE_CHILDREN), []
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        command = [sys.executable, "-m", "bench.cli", *map(str, arguments)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=out, stderr=err)
        while process.poll() is None:
            looks += _look(process.pid, cells)
            time.sleep(LOOK_EVERY)
        out.seek(0), err.seek(0)
        said = out.read(), err.read()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    peak = max((look.memory for look in looks), default=0)
    return Taken(process.returncode, *said, seconds, peak, looks)


def _look(process: int, cells: Callable[[], int]) -> list[Look]:
    try:
        memory = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES
        return [Look(cells(), memory, len(os.listdir(f"/proc/{process}/fd")))]
    except (OSError, IndexError):  # it has just ended
        return []


@dataclass(frozen=True)
class Counted:
    """What a command did in this process: calls of functions, and openings by the ends of the files' names."""

    calls: int
    opened: Counter[str]
    out: str


class Openings:
    """Openings of files below a folder, counted by the ends of their names. A hook cannot be taken away again."""

    def __init__(self) -> None:
        self.below: str | None = None
        self.counts: Counter[str] = Counter()
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.below is not None and event == "open" and str(arguments[0]).startswith(self.below):
            self.counts[Path(str(arguments[0])).suffix] += 1


def counted(openings: Openings, folder: Path, *arguments: object) -> Counted:
    """Run `bench ARGUMENTS` in this process, count what it does; one that ends with another code than 0 ends this."""
    from bench.cli import main

    said, profile, sys.argv = io.StringIO(), cProfile.Profile(), ["bench", *map(str, arguments)]
    openings.below, openings.counts = str(folder), Counter()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            profile.runcall(main)
        except SystemExit as stop:
            if stop.code:
                raise SystemExit(
                    f"bench {' '.join(sys.argv[1:4])} ended with {stop.code}:\n{said.getvalue()}"
                ) from None
    openings.below = None
    calls = sum(entry.callcount for entry in profile.getstats())
    return Counted(calls, openings.counts, said.getvalue())
