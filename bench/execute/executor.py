"""Where a run's cells are trained, as the command that plans them sees it: on this machine, by jobs of a queue, or on a
cluster (bench.execute.cluster).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch

from bench.cell import AskedPrecision, Precision
from bench.execute.devices import chosen_devices, job_device, proving_device, seats_of
from bench.execute.queue import Queue
from bench.model.device import choose_precision, precision_notes
from bench.model.proof import Proof
from bench.model.proofs import proofs_of
from bench.model.source import ModelSource

Devices = tuple[torch.device, ...]


class Executor(Protocol):
    """`seats` has the devices of each worker; elsewhere (`is_here` is False) only their kind is known."""

    @property
    def seats(self) -> list[Devices]: ...
    @property
    def is_here(self) -> bool: ...

    def precision(self, asked: AskedPrecision) -> Precision:
        """The precision of a request; `auto` is what the workers' devices multiply in hardware."""

    def proofs_of(self, models: Sequence[ModelSource], fetch: bool) -> dict[str, Proof]:
        """As bench.model.proofs.proofs_of, on a worker's devices where they can be had."""

    def notes(self, precision: Precision) -> Iterable[str]:
        """What somebody should know who asks for a precision."""


class Here:
    """This machine's devices: those of `--devices`, so many to a worker as `--shard` says."""

    is_here = True

    def __init__(self, devices: str, shard: int) -> None:
        self.seats = seats_of(chosen_devices(devices), shard)

    def precision(self, asked: AskedPrecision) -> Precision:
        return choose_precision(asked, self.seats[0][0])

    def proofs_of(self, models: Sequence[ModelSource], fetch: bool) -> dict[str, Proof]:
        first, *others = self.seats[0]
        return proofs_of(models, first, fetch, tuple(others))

    def notes(self, precision: Precision) -> Iterable[str]:
        return precision_notes(precision, self.seats[0][0])


class Jobs:
    """Jobs of a queue, on devices of other machines; models prove themselves on the processor here."""

    is_here = False

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.seats = [(job_device(queue),) * queue.shard]

    def precision(self, asked: AskedPrecision) -> Precision:
        return choose_precision(asked, proving_device(self._queue))

    def proofs_of(self, models: Sequence[ModelSource], fetch: bool) -> dict[str, Proof]:
        return proofs_of(models, proving_device(self._queue), fetch)

    def notes(self, precision: Precision) -> Iterable[str]:
        return ()
