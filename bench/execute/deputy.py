"""A worker that cannot reach the results folder, as the folder sees it: this process claims for it and writes for it.

It has an identity, claims and a file of its own, so that other processes see a worker like any other, and so that its
death counts as that of a process does: what it held stays claimed by one that is gone, and another takes it over.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bench.execute.job import Job, grid_of
from bench.execute.parcel import Piece
from bench.execute.relay import Listener
from bench.execute.work import Work
from bench.execute.worker import Noted
from bench.plan.selection import Choice
from bench.store.claims import Claims
from bench.store.examples import examples_key
from bench.store.files import on_disk
from bench.store.record import Record
from bench.store.store import Store, Writer
from bench.store.workers import Presence, Watch, new_identity
from bench.train.audience import Audience
from bench.train.groups import Group


class Deputy:
    """Stands for one worker from its arrival to its end. `host` is where it runs, `device` what it has there.

    `watch` is the one of all deputies of this process: it is told of deaths.
    """

    def __init__(
        self, job: Job, host: str, device: str, watch: Watch, audience: Audience, told: Callable[[Choice], None]
    ) -> None:
        self.host = host
        self._device = device
        self._identity = new_identity(job.run).model_copy(update={"host": host})
        self._watch = watch
        self._store = Store(job.folder, self._identity.worker)
        self._claims = Claims(job.folder, self._identity, watch)
        self._work = Work(job, self._store, self._claims, watch, chosen=told, gave_up=audience.finished)
        self._present, self._training = ExitStack(), ExitStack()
        presence = self._present.enter_context(Presence(job.folder, self._identity, [device], grid_of(job.plan.cells)))
        self._noted = Noted(audience, presence)
        self._listener = Listener(self._noted)
        self._ids: list[str] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._ids)

    @property
    def is_over(self) -> bool:
        """Whether the job has nothing left, by the last look at it."""
        return self._work.is_over

    def next(self) -> Group | None:
        """A group for the worker, claimed; None when there is none to be had at the moment."""
        group = self._work.next()
        if group is not None:
            self._ids = [resolved.cell.id for resolved in group.cells]
            self._training.enter_context(self._noted.doing(self._ids, self._device))
        return group

    def hear(self, word: str, content: Any) -> Record | None:
        """Take a word of the worker: a piece of a file is kept, a record is written with its files and given back.

        DiskError where this machine's disk takes no more.
        """
        if word == "piece":
            self._receive(content)
            return None
        if word == "finished":
            self._write(content)
        elif word == "over":
            self._let_go()
        self._listener.hear(word, content)
        return content if word == "finished" else None

    @property
    def _incoming(self) -> Path:
        return self._store.aside / "incoming"

    def _receive(self, piece: Piece) -> None:
        path = self._incoming / piece.of / piece.name
        with on_disk(self._store.path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("r+b" if piece.start else "wb") as file:
                file.seek(piece.start)
                file.write(piece.content)

    def _write(self, record: Record) -> None:
        """Put a record with its files, which have come before it, into the store; a finished cell stays as it is."""
        key = examples_key(record.cell)
        for texts in (self._incoming / "examples").glob(f"{key}*.parquet"):
            self._store.write_examples(key, partial(os.replace, texts))
        files: dict[str, Writer] = {
            path.name: partial(os.replace, path) for path in sorted((self._incoming / record.id).glob("*"))
        }
        self._store.write(record, files)
        shutil.rmtree(self._incoming / record.id, ignore_errors=True)

    def _let_go(self) -> None:
        self._listener.close()
        self._training.close()
        self._work.let_go(self._ids)
        self._ids = []

    def die(self, how: str) -> None:
        """The worker has ended without a word: what it held counts a death, and is free for another."""
        self._claims.abandon()
        self._watch.bury(self._identity, how)
        self._leave()

    def close(self) -> None:
        """The worker is not needed any more; what it holds is free."""
        self._work.let_go(self._ids)
        self._claims.close()
        self._leave()

    def _leave(self) -> None:
        self._listener.close()
        self._training.close()
        self._ids = []
        shutil.rmtree(self._store.aside, ignore_errors=True)
        self._present.close()
