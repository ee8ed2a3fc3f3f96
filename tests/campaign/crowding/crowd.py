"""Eight processes on one folder: each a real command, killed and replaced, or stopped for a while, at any moment."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.store.claims import clear_up
from bench.store.store import Store
from bench.store.workers import Watch
from tests.campaign.crowding.ledger import Ledger, copying
from tests.campaign.crowding.worlds import GONE, World
from tests.campaign.killing import children
from tests.campaign.killing.grid import Grid
from tests.campaign.killing.witness import Witness

PROCESSES = 8
GIVEN_UP = "cells failed; they are tried again next time"  # three have died of one: that may happen here
AT_WORK = 0.7  # of the blows, that fall on a process which has begun a cell
SECONDS = 0.5  # that a cell takes
LONGEST = 240.0  # seconds for a folder


@dataclass
class Crowd:
    """Of one folder in one world. `real`: cells are trained; else they are copied from a folder where they were."""

    folder: Path
    world: World
    grid: Grid
    expected: dict[str, str]
    possible: dict[str, str]
    seed: int
    real: bool
    kills: int = 0
    pauses: int = 0
    started: int = 0
    again: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)
    living: dict[int, Path] = field(default_factory=dict)  # by process what it says
    stopped: dict[int, float] = field(default_factory=dict)  # by process when it goes on

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._ledger = Ledger(self.folder.with_name(f"{self.folder.name}.ledger"))
        self._witness = Witness(self.folder, self.folder.with_name("no diary"), self.expected, self.possible)

    def run(self, kills: int) -> None:
        """Let them work and kill so many, then let them end; what broke is in `broken`."""
        until, next_at, looked = time.monotonic() + LONGEST, time.monotonic() + 0.5, 0.0
        for _ in range(PROCESSES):
            self._start()
        while self.living and time.monotonic() < until:
            now = time.monotonic()
            if now >= next_at and self.kills < kills:
                self._strike()
                next_at = now + self._rng.expovariate(6.0)
            self._wake(now)
            self._hear()
            if now - looked > 0.5:
                self._witness.look()
                looked = now
            time.sleep(0.005)
        self._end()

    def _start(self) -> None:
        said = self.folder.with_name(f"{self.folder.name}-{self.started}.log")
        arms: list[Callable[[], None]] = (
            [] if self.real else [copying((self.grid.finished, self.grid.otherwise), SECONDS)]
        )
        arms += [self._ledger.keep(), self.world.arm(self.started, self.seed)]
        self.living[children.fork(children.command(self._words(), *arms), said)] = said
        self.started += 1

    def _words(self) -> list[object]:
        return [*self.grid.words(self.folder), "--no-probe"]

    def _strike(self) -> None:
        awake = self.living.keys() - self.stopped.keys()
        at_work = self._ledger.at_work() & awake if self._rng.random() < AT_WORK else set()
        if not awake:
            return
        victim = self._rng.choice(sorted(at_work or awake))
        if self.world.pauses and self._rng.random() < 0.5:
            os.kill(victim, signal.SIGSTOP)
            self.stopped[victim] = time.monotonic() + self._rng.uniform(0.5, 3.0) * GONE
            self.pauses += 1
            return
        self._ledger.note("killed", victim)
        os.kill(victim, signal.SIGKILL)
        self.kills += 1
        children.wait(victim)
        self._forget(victim)
        self._start()

    def _wake(self, now: float) -> None:
        for process in [process for process, when in self.stopped.items() if now >= when]:
            del self.stopped[process]
            os.kill(process, signal.SIGCONT)

    def _forget(self, process: int) -> str:
        self.stopped.pop(process, None)
        said = self.living.pop(process)
        text = said.read_text() if said.exists() else ""
        said.unlink(missing_ok=True)
        return text

    def _hear(self) -> None:
        """Those that end by themselves end well."""
        for process in list(self.living):
            code = None if process in self.stopped else children.ended(process)
            if code is not None:
                self._judge(code, self._forget(process))

    def _judge(self, code: int, said: str) -> None:
        if "Traceback" in said or not (code == 0 or (code == 1 and GIVEN_UP in said)):
            self._witness.say(f"exit {code}: {said[-1500:]}")

    def _end(self) -> None:
        """Those that hang are told of; one more command does what is left; then the folder is looked at."""
        for process in list(self.living):
            self._witness.say(f"a process was still at it after {LONGEST:.0f} s: {self.living[process].read_text()}")
            os.kill(process, signal.SIGKILL)
            children.wait(process)
            self._forget(process)
        self._start()
        ((last, _),) = self.living.items()
        code = children.wait(last)
        text = self._forget(last)
        if code:
            self._witness.say(f"exit {code} in the end: {text[-1500:]}")
        self._sweep()
        self._witness.look_at_end()
        self.broken += self._witness.broken + [("replaced", each) for each in self._ledger.replaced()]
        found = self._ledger.again()
        if self.world.machines == 1:  # where it is certain who lives, nothing is done twice
            self.broken += [("twice", each) for each in found]
        self.again = len(found)

    def _sweep(self) -> None:
        """What those of other machines left is swept by whoever has seen nothing of them for long enough."""
        store, watch = Store.open(self.folder), Watch(self.folder, GONE)
        for _ in range(5):
            clear_up(store, watch)
            if not any(path for room in ("workers", "claims", ".partial") for path in self.folder.glob(f"{room}/*")):
                return
            time.sleep(GONE / 3 + 0.01)


def counted(crowds: list[Crowd]) -> Counter[str]:
    """Figures of all of them together."""
    names = ("kills", "pauses", "started", "again")
    return Counter({name: sum(getattr(crowd, name) for crowd in crowds) for name in names})
