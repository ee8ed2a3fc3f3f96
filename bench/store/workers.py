"""Who is at work on a results folder: a file for each process, written anew as long as it lives.

    NAME/workers/<worker>.json   who it is, what it measures, what it trains just now

Another process tells by it whether the owner of a claim (bench.store.claims) is still there. On the same machine it
asks the system for the process. From another one it watches whether the file changes, by its own clock: clocks of two
machines are never compared, and no lock of the file system is asked for.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.store.files import content_of, on_disk
from bench.store.processes import began_at, is_of_here, machine, name_of, was_left
from bench.writing import write_text

BEAT = 5.0  # seconds between two writings
LOOK = 1.0  # seconds between two looks at one that may be gone
GONE = 90.0  # seconds without one, after which a process of another machine is gone; NFS may show files of a minute ago


class Part(BaseModel):
    """A piece of a worker's file. A later version may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Identity(Part):
    """Which process this is. `machine` is where its number means something: a boot of a system, and its namespace of
    processes; `began` tells it from a later process with the same number.
    """

    worker: str
    run: str  # processes that one command started have one
    host: str
    machine: str
    process: int
    began: str = ""


class Doing(Part):
    """A group in training: its cells, since when (ISO 8601, UTC), and how far the one with the longest way is.

    `seconds` are those since then when this was written, so that a reader need not compare clocks. What a step takes
    counts evaluations; it is 0 until a second step is over.
    """

    cells: tuple[str, ...]
    device: str
    since: str
    seconds: float = 0.0
    step: int = 0
    num_steps: int = 0
    tokens_per_second: float = 0.0
    seconds_per_step: float = 0.0


class Worker(Part):
    """What a worker's file says. `grid`: by suite and task how it measures (see `Presence`)."""

    identity: Identity
    devices: tuple[str, ...]
    started: str
    grid: dict[str, str] = {}
    doing: tuple[Doing, ...] = ()


def new_identity(run: str | None = None) -> Identity:
    """Of this process; `run` is that of the command that started it, a new one by default. Its name, which all that it
    writes aside has, says which process of which machine it is.
    """
    host = platform.node() or "unknown"
    name = re.sub(r"[^A-Za-z0-9-]", "-", host)[:40]
    worker = name_of(name, os.getpid())
    began = began_at(os.getpid()) or ""
    return Identity(worker=worker, run=run or worker, host=host, machine=machine(), process=os.getpid(), began=began)


def unknown(name: str) -> Identity:
    """Whoever wrote a file that says nothing: it is being written, or its process ended in the middle of that. As one
    of another machine that shows no sign, it is gone after a while.
    """
    return unseen(f"unknown-{name}")


def unseen(worker: str) -> Identity:
    """A worker of which no more is known than its name, as one of another machine."""
    return Identity(worker=worker, run="", host="", machine="", process=0)


def is_here(identity: Identity) -> bool:
    """Whether a process is, or was, one of this machine, where its number means something."""
    return identity.machine == machine()


def _is_running(identity: Identity) -> bool:
    began = began_at(identity.process)
    return began is not None and (not identity.began or not began or began == identity.began)


class Presence:
    """This process in a results folder, from `with` on: its file is written every few seconds.

    `grid` says how it measures each task (budgets, protocol, precision), so that another run that would measure them
    otherwise is told before it begins.
    """

    def __init__(
        self, folder: Path, identity: Identity, devices: Sequence[str], grid: Mapping[str, str], beat: float = BEAT
    ) -> None:
        self.identity, self._beat = identity, beat
        self.path = worker_file(folder, identity.worker)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._worker = Worker(identity=identity, devices=tuple(devices), started=started, grid=dict(grid))
        self._doing: dict[tuple[str, ...], tuple[Doing, float]] = {}  # and when it began, by this process's own clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="heartbeat", daemon=True)

    def __enter__(self) -> Presence:
        with on_disk(self.path.parent.parent):
            self._write()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Not to be seen any more, however far `with` has come; once more does no harm."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    @contextmanager
    def doing(self, cells: Sequence[str], device: str) -> Iterator[None]:
        """Within the block these cells are in training on a device."""
        key = tuple(cells)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._doing[key] = (Doing(cells=key, device=device, since=now), time.monotonic())
        with suppress(OSError):
            self._write()
        try:
            yield
        finally:
            del self._doing[key]

    def reached(self, cells: Sequence[str], **changes: float) -> None:
        """Note how far a group is, by the fields of `Doing`; it is written with the next beat."""
        key = tuple(cells)
        if key in self._doing:
            doing, begun = self._doing[key]
            self._doing[key] = (doing.model_copy(update=changes), begun)

    def _live(self) -> None:
        while not self._stop.wait(self._beat):
            try:
                self._write()
            except OSError:  # a full disk: to be alive needs no space
                with suppress(OSError):
                    os.utime(self.path)

    def _write(self) -> None:
        now = time.monotonic()
        groups = list(self._doing.values())  # the other thread changes it
        doing = tuple(each.model_copy(update={"seconds": round(now - begun, 1)}) for each, begun in groups)
        worker = self._worker.model_copy(update={"doing": doing})
        write_text(self.path, worker.model_dump_json(indent=1) + "\n", durable=False)


def worker_file(folder: Path, worker: str) -> Path:
    return folder / "workers" / f"{worker}.json"


def last_sign(folder: Path, identity: Identity) -> os.stat_result | None:
    """What the file system says of a worker's file; None where there is none."""
    try:
        with worker_file(folder, identity.worker).open("rb") as file:  # opened: a remote system then looks anew
            return os.fstat(file.fileno())
    except OSError:
        return None


def workers_of(folder: Path) -> list[Worker]:
    """What the files of workers say, gone ones included; one that cannot be read is left out."""
    workers = []
    for path in sorted(folder.glob("workers/*.json")):
        with suppress(OSError, ValidationError):
            workers.append(Worker.model_validate_json(content_of(path)))
    return workers


@dataclass
class Sign:
    """What was last seen of a process of another machine."""

    mark: object  # of its file
    looked: float
    silent: float = 0.0  # seconds for which the mark has been the same
    has_moved: bool = False  # since the first look


class Watch:
    """Which owners of a folder's claims are gone. It remembers what it saw of those on other machines, so keep one."""

    def __init__(self, folder: Path, gone: float = GONE) -> None:
        self._folder, self._gone = folder, gone
        self._signs: dict[str, Sign] = {}
        self._buried: dict[str, str] = {}

    def is_gone(self, owner: Identity) -> bool:
        """Whether a process has ended: of this machine at once, of another after `gone` seconds without a sign."""
        if owner.worker in self._buried:
            return True
        if is_here(owner):
            return not _is_running(owner)
        now = time.monotonic()  # before the look: a file system that hangs hangs for the owner too
        mark, sign = self._mark(owner), self._signs.get(owner.worker)
        if sign is None or mark not in (None, sign.mark):  # that a file was swept is no sign of life
            self._signs[owner.worker] = Sign(mark, now, has_moved=sign is not None)
            return self._gone <= 0
        sign.silent += min(now - sign.looked, self._gone / 3)  # after a pause of ours the owner is to have its chance
        sign.looked = now
        return sign.silent >= self._gone

    def outlasts(self, owner: Identity) -> bool:
        """Whether a process is still there, when that is certain: of another machine it may take `gone` seconds."""
        while not self.is_gone(owner):
            if is_here(owner) or self._signs[owner.worker].has_moved:
                return True
            time.sleep(LOOK)
        return False

    def bury(self, owner: Identity, how: str) -> None:
        """Note that a worker is gone, and how it went: one that works elsewhere for this process, which lives on."""
        self._buried[owner.worker] = how

    def how(self, owner: Identity) -> str:
        """How a worker went; empty where nobody said it."""
        return self._buried.get(owner.worker, "")

    def _mark(self, owner: Identity) -> object:
        status = last_sign(self._folder, owner)
        return status and (status.st_ino, status.st_mtime_ns, status.st_size)

    def alive(self) -> list[Worker]:
        """The workers of a folder that are not known to be gone."""
        return [worker for worker in workers_of(self._folder) if not self.is_gone(worker.identity)]

    def sweep(self) -> None:
        """Remove what workers that are gone left: what they were writing, and their files, one in the making too."""
        for path in self._folder.glob("workers/*"):
            with suppress(OSError):
                try:
                    identity = Worker.model_validate_json(content_of(path)).identity
                except ValidationError:
                    identity = unknown(path.name)
                if self.is_gone(identity):
                    shutil.rmtree(self._folder / ".partial" / identity.worker, ignore_errors=True)
                    (self._folder / "claims" / f".{identity.worker}").unlink(missing_ok=True)
                    path.unlink(missing_ok=True)
        aside = (self._folder.glob(where) for where in (".partial/*", "claims/.*", "workers/.*"))
        for path in chain.from_iterable(aside):
            if was_left(path.name) or self._is_abandoned(path):  # by one that had no file yet, or had none at all
                with suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _is_abandoned(self, path: Path) -> bool:
        """Whether what lies aside is of another machine, and nothing has been seen of its worker for long enough."""
        return not is_of_here(path.name) and self.is_gone(unseen(path.name.removeprefix(".")))
