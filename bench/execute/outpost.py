"""A worker on a machine without the results folder: it measures what it is given into a folder of its own.

Whoever gave it the cells asks what there is to tell, and gets words and the pieces of files. What carries them is not
known here.
"""

from __future__ import annotations

import queue
import shutil
import subprocess
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.cell import Cell
from bench.data.places import fingerprint
from bench.errors import DiskError, UsageError, tell_in_lines
from bench.execute.job import Job, declare_suites
from bench.execute.parcel import PIECE, Piece, pieces
from bench.execute.relay import Relay
from bench.execute.worker import Seat, options_of
from bench.joint import stage_cells
from bench.model.source import find_model
from bench.model.trust import trusting
from bench.registry import load_plugin
from bench.resolved import ResolvedCell, resolve
from bench.runner import Runner
from bench.store.examples import examples_key
from bench.store.provenance import asked_by
from bench.store.record import Record
from bench.store.store import Store
from bench.task import Split, Task
from bench.train.compiling import Compiling
from bench.train.failure import failure
from bench.train.groups import Group
from bench.writing import TEMPORARY, telling

HEARD = 1.0  # seconds after which a question is answered though there is nothing to tell
Word = tuple[str, Any]


@dataclass(frozen=True)
class Errand:
    """What a worker elsewhere needs to know: the job without its plan, and the plugins' text by path.

    `host` is the name of the worker's machine, for whoever reads a reason.
    """

    job: Job
    plugins: Mapping[Path, str]
    host: str


class Mail:
    """A wire to the thread that answers questions."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Word] = queue.SimpleQueue()

    def send(self, obj: Any, /) -> None:
        self.queue.put(obj)


class Outpost:
    """Trains in a thread of its own, so that it can answer meanwhile."""

    def __init__(self, errand: Errand, device: torch.device) -> None:
        self._host, self._device, self._command = errand.host, device, errand.job.command
        self._trusts = errand.job.trust_remote_code
        self._scratch = Scratch()
        self._folder = self._scratch.path
        for path, text in errand.plugins.items():
            load_plugin(_same(path, text) or self._copied(path, text))
        declare_suites(errand.job)
        self._mail = Mail()
        self._relay = Relay(self._mail)
        tell_in_lines(self._relay.tell)
        self._store = Store.create(self._folder / "results")
        compiling = Compiling(errand.job.tokens, errand.job.compiled)
        job = replace(errand.job, folder=self._store.path)
        self._runner = Runner(self._store, options_of(job, Seat((device,))), self._relay, compiling=compiling)
        self._inputs = Inputs()
        self._told = self._words()
        self._sent: set[str] = set()  # keys of scored examples
        self._given: queue.SimpleQueue[tuple[Sequence[Cell], bool]] = queue.SimpleQueue()
        threading.Thread(target=self._live, name="training", daemon=True).start()

    def _copied(self, path: Path, text: str) -> Path:
        copy = self._folder / "plugins" / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text, encoding="utf-8")
        return copy

    def begin(self, cells: Sequence[Cell], shared: bool) -> None:
        """Train a group; the word "over" ends what there is to tell of it."""
        for kind in ("cells", "failed"):
            shutil.rmtree(self._store.path / kind, ignore_errors=True)
        self._given.put((cells, shared))

    def _live(self) -> None:
        """All groups in one thread: what compiles and what captures graphs remembers its thread."""
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)
        while True:
            self._train(*self._given.get())

    def _train(self, cells: Sequence[Cell], shared: bool) -> None:
        started = datetime.now(UTC)
        group = Group((), shared)
        try:
            group = Group(tuple(map(resolve, cells)), shared)
            with asked_by(self._command), trusting(self._trusts):
                for resolved in group.cells:
                    self._inputs.check(resolved)
                self._runner.run([group])
        except DiskError as error:
            self._relay.tell("broke", str(error))
        except UsageError as error:
            self._refuse(group.cells, error, started)
        except BaseException:
            self._relay.tell("broke", traceback.format_exc())
        self._relay.tell("over")

    def _refuse(self, cells: Sequence[ResolvedCell], error: UsageError, started: datetime) -> None:
        """What this machine lacks fails the cells that it was given."""
        try:
            raise UsageError(f"on {self._host}: {error}") from error
        except UsageError as named:
            for resolved in cells:
                if not self._store.is_done(resolved.cell.id):
                    self._relay.finished(failure(resolved, named, started, self._device))

    def hear(self) -> list[Word]:
        """What there is to tell since the last time, at most some pieces of files; waits a moment for it."""
        words: list[Word] = []
        size = 0
        for word in self._told:
            if word is None:  # nothing more for now
                break
            words.append(word)
            size += len(word[1].content) if isinstance(word[1], Piece) else 0
            if size >= PIECE:
                break
        return words

    def _words(self) -> Iterator[Word | None]:
        """Words in their order, before a record the pieces of its files; None when there has been none for a moment."""
        until = time.monotonic() + HEARD
        while True:
            try:
                word, content = self._mail.queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                yield None
                until = time.monotonic() + HEARD
                continue
            until = 0.0  # what else is there already goes along
            if word == "finished":
                yield from self._files(content)
            yield word, content

    def _files(self, record: Record) -> Iterator[Word]:
        if record.status != "done":
            return
        key = examples_key(record.cell)
        texts = self._store.examples_file(key)
        if key not in self._sent and texts is not None:
            self._sent.add(key)
            yield from (("piece", piece) for piece in pieces("examples", texts))
        for path in sorted(self._store.cell_folder(record.id).iterdir()):
            if path.name != "record.json":  # written anew, from the record itself
                yield from (("piece", piece) for piece in pieces(record.id, path))


class Scratch:
    """A folder that lasts as long as this object and its process do: somebody else removes it, so that a process that
    is killed leaves nothing behind.
    """

    def __init__(self) -> None:
        with telling("make a worker's folder in", *TEMPORARY):
            self.path = Path(tempfile.mkdtemp(prefix="tuning-bench-worker-"))
        # it reads until nobody can write to it any more; no child of ours, since Ray ends those of an actor with it
        after_us = 'exec 3<&0; { cat <&3; rm -rf "$0"; } >/dev/null &'
        process = subprocess.Popen(["sh", "-c", after_us, self.path], stdin=subprocess.PIPE, start_new_session=True)
        process.wait()
        self._held = process.stdin


def _same(path: Path, text: str) -> Path | None:
    """A plugin's file where this machine has the same one; what lies beside it is then there too."""
    try:
        return path if path.read_text(encoding="utf-8") == text else None
    except OSError:
        return None


class Inputs:
    """Whether this machine's models, tasks and data are those that cells were planned with; else a number would stand
    under the wrong name. Each is looked at once.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str | None, ...], tuple[str, str]] = {}

    def check(self, resolved: ResolvedCell) -> None:
        """UsageError for what is not here, or is another one."""
        cell, task = resolved.cell, resolved.task
        model = find_model(cell.model_path)
        self._compare(f"model {cell.model_path}", cell.model_fingerprint, model.fingerprint)
        self._check_data(cell, task, task.splits(cell.protocol))
        for part in stage_cells(resolved):
            self._check_data(part.cell, part.task, ("train",))

    def _check_data(self, cell: Cell, task: Task, splits: Sequence[Split]) -> None:
        key = (cell.suite, task.name, cell.data_path, *splits)
        if key not in self._found:
            data = Path(cell.data_path) if cell.data_path else None
            self._found[key] = (str(task.version), fingerprint(task, data, splits))
        version, data_found = self._found[key]
        self._compare(f"the declaration of task {task.name}", str(cell.task_version), version)
        self._compare(f"the data of task {task.name}", cell.data_fingerprint, data_found)

    def _compare(self, what: str, planned: str, found: str) -> None:
        if planned != found:
            raise UsageError(f"{what} is not the one of the plan ({found}, planned: {planned}); bring the same there")
