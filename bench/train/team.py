"""A team: a process for each device over which a model's weights are divided, all of them one worker.

The worker's own process keeps its claims and its display, and takes part in no collective: a process that dies,
whatever kills it, cannot hang it, and the others are ended. Each process (bench.execute.member) trains the same cells
in lockstep; the first one writes. They stay for the next cell, since they take half a minute to start.

Messages are lines of JSON: cells to a process's standard input, whose end tells it that the worker is gone; what comes
of them from its standard output.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import torch

from bench.cell import Cell
from bench.errors import DiskError
from bench.model.proof import proof_in_use
from bench.model.trust import is_trusted
from bench.registry import is_declared, plugin_files
from bench.store.provenance import command
from bench.store.record import CurvePoint, Record
from bench.store.store import Store
from bench.train.audience import Audience
from bench.train.groups import Group
from bench.train.loop import LaneAt, Progress
from bench.train.options import Options
from bench.train.sharded_optim import check_optimizer
from bench.writing import TEMPORARY, telling

CODE = "from bench.execute.member import main; main()"
GRACE = 3.0  # seconds in which others may say why, once one has ended
Message = dict[str, Any]


class TeamError(RuntimeError):
    """A process of the team broke off, and the others were ended; `record` is what it said of the cell, if anything."""

    def __init__(self, message: str, record: Record | None = None) -> None:
        super().__init__(message)
        self.record = record


class Team:
    """The processes of a worker whose options name further devices. They start with the first group."""

    def __init__(self, options: Options, store: Store, audience: Audience) -> None:
        self._options, self._store, self._audience = options, store, audience
        self._members: list[_Member] = []
        self._meeting: tempfile.TemporaryDirectory[str] | None = None  # where they find one another
        self._inbox: queue.SimpleQueue[tuple[int, Message | None]] = queue.SimpleQueue()

    def measure(self, group: Group) -> Iterator[Record]:
        """The records of a group's cells, which the team has written to the store.

        TeamError when a process broke off, and DiskError when the store takes no more; the next group gets new ones.
        """
        for resolved in group.cells:
            check_optimizer(resolved.method)
        cells = [resolved.cell for resolved in group.cells]
        try:
            if not self._members:
                self._start()
            for member in self._members:
                member.send(_task(group))
            with self._audience.loop(cells):
                records = self._listen({cell.id: cell for cell in cells})
        except BaseException:  # Ctrl-C too
            self.end()
            raise
        yield from records

    @property
    def pids(self) -> list[int]:
        """The numbers of its processes, in their order."""
        return [member.pid for member in self._members]

    def end(self) -> None:
        """End every process. What is not written yet is lost."""
        for member in self._members:
            member.end()
        if self._meeting is not None:
            self._meeting.cleanup()
        self._members, self._inbox = [], queue.SimpleQueue()

    def _start(self) -> None:
        devices = [self._options.device, *self._options.others]
        options = {**asdict(self._options), "device": "", "others": []}
        threads = max(1, torch.get_num_threads() // len(devices))  # of one machine
        with telling("let processes meet in", *TEMPORARY):
            self._meeting = tempfile.TemporaryDirectory(prefix="tuning-bench-team-", ignore_cleanup_errors=True)
        meeting = self._meeting.name
        for rank in range(len(devices)):
            member = _Member(rank, Path(meeting), self._inbox)
            self._members.append(member)
            setup = {"rank": rank, "devices": list(map(str, devices)), "meeting": f"{meeting}/store"}
            setup |= {"command": command(), "trusts": is_trusted()}
            place = {"store": str(self._store.path), "worker": self._store.aside.name}
            member.send({**setup, **place, "options": options, "threads": threads})

    def _listen(self, cells: dict[str, Cell]) -> list[Record]:
        """Until every process is done."""
        records: list[Record] = []
        busy = {member.rank for member in self._members}
        while busy:
            rank, message = self._inbox.get()
            if message is None or "failed" in message:
                if len(records) == len(cells):  # all is written
                    self.end()
                    break
                raise self._broken(rank, message)
            if "disk" in message:
                raise DiskError(message["disk"])
            if "step" in message:
                self._tell(cells, message["step"])
            if "record" in message:
                records.append(Record.model_validate(message["record"]))
            if "done" in message:
                busy.remove(rank)
        return records

    def _tell(self, cells: dict[str, Cell], step: Message) -> None:
        lanes = [
            LaneAt(cells[cell_id], at, of, read, [CurvePoint.model_validate(point) for point in curve])
            for cell_id, at, of, read, curve in step["lanes"]
        ]
        self._audience.step(Progress(lanes, step["losses"], step["tokens"], step["seconds"]))

    def _broken(self, rank: int, message: Message | None) -> TeamError:
        """Why: the first reason that is not that another process has gone, else a process that ended without one."""
        heard, until = {rank: message}, time.monotonic() + GRACE
        while len(heard) < len(self._members) and (left := until - time.monotonic()) > 0:
            try:
                rank, message = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            if message is None or "failed" in message:
                heard.setdefault(rank, message)
        told = [message for message in heard.values() if message is not None]
        silent = [rank for rank, message in heard.items() if message is None]  # in the order in which they ended
        own = [message for message in told if not message["echo"]]
        if silent and not own:
            words = self._members[silent[0]].last_words()
            return TeamError(f"{words}; the other processes of --shard {len(self._members)} were ended")
        record = Record.model_validate((own or told)[0]["failed"])
        return TeamError(str(record.reason), record)


def _task(group: Group) -> Message:
    """What a process must know to train a group's cells."""
    fingerprints = {resolved.cell.model_fingerprint for resolved in group.cells}
    proofs = {name: proof.record() for name in fingerprints if (proof := proof_in_use(name))}
    plugins = [file for resolved in group.cells for file in plugin_files(resolved.method, resolved.suite)]
    cells = [resolved.cell.model_dump(mode="json") for resolved in group.cells]
    declared = {resolved.suite.name: resolved.suite for resolved in group.cells if is_declared(resolved.suite.name)}
    suites = [suite.model_dump(mode="json") for suite in declared.values()]
    return {"cells": cells, "plugins": plugins, "suites": suites, "proofs": proofs}


class _Member:
    """One process of a team. It is in a session of its own, so that Ctrl-C reaches it through the worker alone."""

    def __init__(self, rank: int, meeting: Path, inbox: queue.SimpleQueue[tuple[int, Message | None]]) -> None:
        self.rank, self._said = rank, meeting / f"{rank}.stderr"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
                text=True, start_new_session=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=_read, args=(rank, self._process.stdout, inbox), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Message) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:  # it has ended, which its other pipe tells
            return

    def last_words(self) -> str:
        """How a process ended that gave no reason."""
        try:
            code = self._process.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            return f"process {self.rank} closed its output, and is still there"
        lines = self._said.read_text(errors="replace").strip().splitlines()
        said = f" ({' '.join(lines[-1].split())[:200]})" if lines else ""
        if code < 0:
            return f"process {self.rank} was killed by {signal.Signals(-code).name}{said}"
        return f"process {self.rank} ended with exit code {code}{said}"

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()  # at the end of the pipe
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


def _read(rank: int, pipe: IO[str], inbox: queue.SimpleQueue[tuple[int, Message | None]]) -> None:
    try:
        for line in pipe:
            inbox.put((rank, json.loads(line)))
    except ValueError:  # the pipe was closed, or what came is no message
        pass
    inbox.put((rank, None))
