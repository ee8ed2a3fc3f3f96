"""A process of a team (bench.train.team): trains what it is told, in lockstep with the others.

Standard input brings a line of set-up and then groups of cells; when it ends the worker is gone, and so is this.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import torch
import torch.distributed as dist

from bench.cell import Cell
from bench.errors import DiskError
from bench.model.proof import adopt_proof, proof_of_record
from bench.model.sharded import TeamRanks
from bench.model.trust import trusting
from bench.plan.selection import Choice
from bench.registry import declare, load_plugin
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.provenance import asked_by
from bench.store.record import Record
from bench.store.store import Store, Writer
from bench.task import Suite
from bench.train.failure import failure
from bench.train.groups import Group
from bench.train.loop import Progress
from bench.train.meter import release
from bench.train.options import Options
from bench.train.prepare import prepare

PATIENCE = timedelta(minutes=30)  # for the others: the first process reads a whole checkpoint, and writes a whole model
TOLD_EVERY = 0.2  # seconds
ECHOES = ("gloo", "Connection closed by peer", "Connection reset by peer", "NCCL")  # what the end of another one causes


def main() -> None:
    """Until standard input ends."""
    gc.freeze()  # modules stay to the end
    channel = _Channel()
    setup = channel.hear()
    torch.set_num_threads(setup["threads"])
    rank, devices = setup["rank"], list(map(torch.device, setup["devices"]))
    device = devices[rank]
    others = (device,) * (len(devices) - 1)  # how many they are; to look at their memory is not this process's business
    options = Options(**{**setup["options"], "device": device, "others": others})
    _meet(setup["meeting"], rank, len(devices), device)
    store = (_Unwritten if rank else Store)(Path(setup["store"]), setup["worker"])
    runner = Runner(store, options, _Relay(channel), ranks=TeamRanks(device))
    loaded: set[str] = set()
    with asked_by(setup["command"]), trusting(setup["trusts"]):
        while True:
            asked = channel.hear()
            for path in set(asked["plugins"]) - loaded:
                load_plugin(Path(path))
                loaded.add(path)
            for suite in asked["suites"]:
                declare(Suite.model_validate(suite))
            for fingerprint, proof in asked["proofs"].items():
                adopt_proof(fingerprint, device.type, proof_of_record(proof))
            _work([Cell.model_validate(cell) for cell in asked["cells"]], runner, channel)


def _meet(meeting: str, rank: int, count: int, device: torch.device) -> None:
    """Join the others of the team."""
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=count, timeout=PATIENCE)


def _work(cells: Sequence[Cell], runner: Runner, channel: _Channel) -> None:
    """Train cells and tell of them. What goes wrong is told too, and ends this process: the others wait for it."""
    started = datetime.now(UTC)
    device = runner.options.device
    resolved = [resolve(cell) for cell in cells]
    try:
        prepare(resolved, runner.data)
        for record in runner.train(Group(tuple(resolved), shared=False)):
            if not dist.get_rank():
                channel.say({"record": record.model_dump(mode="json")})
    except DiskError as error:
        channel.leave({"disk": str(error)})
    except Exception as error:
        record = failure(resolved[0], error, started, device)
        channel.leave({"failed": record.model_dump(mode="json"), "echo": _is_echo(error)})
    release(device)
    channel.say({"done": True})


def _is_echo(error: Exception) -> bool:
    """Whether an error says no more than that another process has gone."""
    return isinstance(error, dist.DistError) or any(mark in str(error) for mark in ECHOES)


class _Channel:
    """Lines of JSON from and to the worker. Whatever else is printed here goes to standard error."""

    def __init__(self) -> None:
        self._out: TextIO = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self._heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._heard.put(json.loads(line))
        os._exit(1)  # the worker is gone, and other processes may be waited for in vain

    def hear(self) -> dict[str, Any]:
        return self._heard.get()

    def say(self, message: dict[str, Any]) -> None:
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def leave(self, message: dict[str, Any]) -> None:
        """Say it, and end without waiting for anybody."""
        self.say(message)
        os._exit(1)


class _Relay:
    """An audience that tells the worker's, of the first process alone."""

    def __init__(self, channel: _Channel) -> None:
        self._channel, self._tokens, self._seconds = channel, 0, 0.0
        self._told = time.monotonic()

    def loop(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        return nullcontext()

    def step(self, progress: Progress) -> None:
        self._tokens += progress.tokens
        self._seconds += progress.seconds
        if dist.get_rank() or time.monotonic() - self._told < TOLD_EVERY:
            return
        lanes = [
            (lane.cell.id, lane.step, lane.num_steps, lane.losses_read, [point.model_dump() for point in lane.curve])
            for lane in progress.lanes
        ]
        step = {"lanes": lanes, "losses": list(progress.losses), "tokens": self._tokens, "seconds": self._seconds}
        self._channel.say({"step": step})
        self._tokens, self._seconds, self._told = 0, 0.0, time.monotonic()

    def finished(self, record: Record) -> None:
        """The worker tells of it itself."""

    def chosen(self, choice: Choice) -> None:
        """The worker chooses."""


class _Unwritten(Store):
    """The store of a process that writes nothing."""

    def write(self, record: Record, files: Mapping[str, Writer] | None = None) -> None: ...

    def write_examples(self, key: str, writer: Writer) -> None: ...
