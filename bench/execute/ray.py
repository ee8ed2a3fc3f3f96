"""A job on a Ray cluster: its actors do the work, this process shares it out, and writes what they send back.

The results folder is on this machine alone. An actor that dies, with its process or its node, is replaced.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from bench.ending import ending_on_request
from bench.errors import UsageError
from bench.execute.cluster import Cluster, Hired, brief, errand_of
from bench.execute.deputy import Deputy
from bench.execute.executor import Executor
from bench.execute.gate import Facts, facts_of
from bench.execute.job import Job
from bench.execute.pool import MOST_FRUITLESS
from bench.execute.worker import check_grid
from bench.plan.selection import Choice
from bench.store.record import Record
from bench.store.workers import Watch
from bench.train.audience import Audience

LOOK = 1.0  # seconds between two looks for work that has become free


@dataclass
class Place:
    """A worker of the cluster by its number: an actor that arrives, gets its errand, and then has a deputy here.

    `begun`: whether it has said that it took the group it was given.
    """

    number: int
    hired: Hired | None = None
    facts: Facts | None = None
    deputy: Deputy | None = None
    begun: bool = False
    fruitless: int = 0

    @property
    def is_idle(self) -> bool:
        return self.deputy is not None and not self.deputy.is_busy

    @property
    def name(self) -> str:
        return f"worker {self.number}" + (f" on {self.facts.host}" if self.facts else "")


class Dispatch:
    """Shares a job out among the actors of a cluster. `say` gets a line that the user should read."""

    def __init__(self, job: Job, cluster: Cluster, audience: Audience, say: Callable[[str], None]) -> None:
        self._job, self._cluster, self._audience, self._say = job, cluster, audience, say
        self._watch = Watch(job.folder)
        self._places = [Place(number) for number in range(job.workers)]
        self._records: list[Record] = []
        self._was_chosen = False
        self._is_fresh = True  # a worker has become idle, or its cells free
        self._last_words = ""

    def run(self) -> list[Record]:
        """The records that came back, when nothing is left to do.

        UsageError where another run is measuring the same tasks otherwise, for a full disk (DiskError), and where no
        worker stays alive. What was being trained when it was interrupted is free again.
        """
        check_grid(self._job.plan, self._job.folder, self._watch, self._job.run)
        self._watch.sweep()
        with ending_on_request():
            try:
                self._start()
                self._share_out()
            finally:
                self._end()
        return self._records

    def _start(self) -> None:
        assert self._cluster.first is not None
        hired, facts = self._cluster.first
        self._places[0].hired = hired
        for place in self._places[1:]:
            place.hired = self._cluster.hire(place.number)
        self._receive(self._places[0], facts)

    def _share_out(self) -> None:
        looked = -math.inf
        while True:
            if time.monotonic() - looked >= LOOK or self._is_fresh:
                looked = time.monotonic()
                if self._deal():
                    return
            awaited = {place.hired.answer: place for place in self._places if place.hired and not place.is_idle}
            if not awaited:
                time.sleep(LOOK)
                continue
            for answer in ray.wait(list(awaited), timeout=LOOK)[0]:
                self._take(awaited[answer], answer)

    def _deal(self) -> bool:
        """Give idle workers groups as long as there are any; whether the job is over."""
        self._is_fresh = False
        if not any(place.hired for place in self._places):
            raise UsageError(f"no worker is left on the Ray cluster: {self._last_words}")
        for place in self._places:
            if not place.is_idle:
                continue
            assert place.deputy is not None
            assert place.hired is not None
            group = place.deputy.next()
            if group is None:
                return place.deputy.is_over and not any(other.deputy and other.deputy.is_busy for other in self._places)
            place.begun = False
            cells = [resolved.cell for resolved in group.cells]
            place.hired.answer = place.hired.actor.begin.remote(cells, group.shared)
        return False

    def _take(self, place: Place, answer: Any) -> None:
        """An actor has answered, or has died."""
        assert place.hired is not None
        try:
            said = ray.get(answer)
        except RayError as error:
            self._died(place, brief(error))
            return
        if place.facts is None:
            try:
                self._receive(place, facts_of(said))
            except UsageError as error:
                self._dismissed(place, str(error))
        elif place.deputy is None:
            facts, device = place.facts, str(place.facts.device)
            place.deputy = Deputy(self._job, facts.host, device, self._watch, self._audience, self._chosen)
            self._is_fresh = True
        elif not place.begun:
            place.begun = True
            place.hired.answer = place.hired.actor.hear.remote()
        else:
            self._hear(place, place.deputy, said)

    def _receive(self, place: Place, facts: Facts) -> None:
        """A worker has arrived, and gets its errand."""
        assert place.hired is not None
        place.facts = facts
        place.hired.answer = place.hired.actor.open.remote(errand_of(self._job, facts.host), str(facts.device))

    def _hear(self, place: Place, deputy: Deputy, words: list[tuple[str, Any]]) -> None:
        """What a worker told, and whether there is more to come."""
        assert place.hired is not None
        for word, content in words:
            if word == "broke":
                self._died(place, content.strip().splitlines()[-1])
                return
            if word == "warning":
                self._say(f"warning: {content}")
                continue
            record = deputy.hear(word, content)
            if record is not None:
                place.fruitless = 0
                self._records.append(record)
        if deputy.is_busy:
            place.hired.answer = place.hired.actor.hear.remote()
        else:
            self._is_fresh = True

    def _chosen(self, choice: Choice) -> None:
        if not self._was_chosen:
            self._was_chosen = True
            self._audience.chosen(choice)

    def _died(self, place: Place, how: str) -> None:
        """An actor is gone: what it was training is for others, and another one takes its place.

        Of cells that it had been given and not begun nothing is to be feared.
        """
        place.fruitless += 1
        if place.deputy is not None and place.begun:
            place.deputy.die(how)
            place.deputy = None
        if place.fruitless < MOST_FRUITLESS:
            self._dismissed(place, how, "ended", "; another one takes over what it was training")
            place.hired = self._cluster.hire(place.number)
        else:
            self._dismissed(place, how, "is given up", f", the {place.fruitless}rd time before it finished a cell")

    def _dismissed(self, place: Place, why: str, what: str = "is left out", then: str = "") -> None:
        """There is no actor in a place any more."""
        assert place.hired is not None
        self._last_words = f"{place.name} {what}: {why}"
        self._say(f"{self._last_words}{then}")
        self._cluster.dismiss(place.hired.actor)
        if place.deputy is not None:
            place.deputy.close()
        place.hired, place.facts, place.deputy = None, None, None
        self._is_fresh = True

    def _end(self) -> None:
        """Free what is claimed; the actors end with the connection, if not before."""
        for place in self._places:
            if place.deputy is not None:
                place.deputy.close()


def dispatch(job: Job, executor: Executor, audience: Audience, say: Callable[[str], None]) -> list[Record]:
    """The records of a job that a cluster's workers have done: see `Dispatch.run`."""
    assert isinstance(executor, Cluster)
    return Dispatch(job, executor, audience, say).run()
