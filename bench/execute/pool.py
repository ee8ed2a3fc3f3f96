"""A process for each seat of this machine: they do the work, this one shows how it goes and looks after them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from bench.ending import Ended, ending_on_request
from bench.errors import DeviceLost, DiskError, UsageError, tell_in_lines
from bench.execute.job import Job, declare_suites
from bench.execute.relay import Listener, Relay
from bench.execute.start import start
from bench.execute.worker import Seat, work
from bench.model.trust import trusting
from bench.registry import load_plugin
from bench.store.provenance import asked_by
from bench.store.record import Record
from bench.store.store import Store
from bench.train.audience import Audience

# signals that every process of a job gets, Ctrl-C, a closed terminal's and a queue's warnings; the pool asks for the
# end in its own way
REACH_ALL = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
PATIENCE = 15.0  # seconds that a worker has to let go of what it holds
AGAIN = 1.0  # seconds after which a worker that is there is asked again
MOST_FRUITLESS = 3  # times in a row that a seat's worker may end before it trains a cell


@dataclass
class Place:
    """A seat with its process, where there is one."""

    seat: Seat
    listener: Listener
    process: BaseProcess | None = None
    connection: Connection | None = None
    fruitless: int = 0
    held: Sequence[str] = ()  # ids of the cells of its group
    is_over: bool = False

    @property
    def name(self) -> str:
        return "+".join(map(str, self.seat.devices))


class Pool:
    """The workers of a job on this machine. A worker that dies is replaced: its cells are free for whoever comes first.

    `say` gets a line that the user should read.
    """

    def __init__(self, job: Job, seats: Sequence[Seat], audience: Audience, say: Callable[[str], None]) -> None:
        self._job, self._audience, self._say = job, audience, say
        self._store = Store(job.folder)
        self._places = [Place(replace(seat, own_process=True), Listener(audience)) for seat in seats]
        self._records: list[Record] = []
        self._was_chosen = False
        self._threads = max(1, torch.get_num_threads() // len(seats))

    def run(self) -> list[Record]:
        """The records that the workers wrote, told or not, when nothing is left to do.

        UsageError (DiskError) of a worker ends all; so does a machine on which none stays alive.
        """
        with ending_on_request():
            try:
                for place in self._places:
                    self._start(place)
                while running := [place for place in self._places if place.process is not None]:
                    self._listen(running)
            finally:
                self._end()
        return self._records

    def _start(self, place: Place) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        name = f"bench-{place.name}"
        place.process = context.Process(target=main, args=(theirs, self._job, place.seat, self._threads), name=name)
        place.connection = ours
        start(place.process)
        theirs.close()

    def _listen(self, running: Sequence[Place]) -> None:
        """Hear what workers have to say, and see who has ended."""
        watched: list[tuple[Place, Connection, int]] = []
        for place in running:
            assert place.process is not None
            assert place.connection is not None
            watched.append((place, place.connection, place.process.sentinel))
        handles: list[Any] = [handle for _, *both in watched for handle in both]
        ready = wait(handles)
        # by place, each once: a process that takes another's place may get the number of its sentinel
        for place, connection, sentinel in watched:
            if sentinel in ready:
                while self._hear(place):
                    pass
                self._ended(place)
            elif connection in ready and not self._hear(place):
                self._ended(place)

    def _hear(self, place: Place) -> bool:
        """One word of a worker; False when there is none to come."""
        assert place.connection is not None
        try:
            if not place.connection.poll():
                return False
            word, content = place.connection.recv()
        except (EOFError, OSError):
            return False
        self._take(place, word, content)
        return True

    def _take(self, place: Place, word: str, content: Any) -> None:
        if word == "holds":
            place.held = content
            return
        if word == "finished":
            place.fruitless = 0
            self._records.append(content)
        if place.listener.hear(word, content):
            return
        if word == "chosen":
            if not self._was_chosen:
                self._was_chosen = True
                self._audience.chosen(content)
        elif word == "warning":
            self._say(f"warning: {content}")
        elif word == "over":
            place.is_over = True
        elif word == "unusable":
            raise content
        elif word == "lost":
            self._say(f"the worker on {place.name} has lost its device: {content}")
        else:
            self._say(f"the worker on {place.name} broke:\n{content}")

    def _ended(self, place: Place) -> None:
        """A process has ended: its work is over, or another one takes its seat."""
        assert place.process is not None
        assert place.connection is not None
        _end(place.process, PATIENCE)  # its last word may come before it has ended
        code, was_training = place.process.exitcode, bool(place.held)
        self._take_untold(place)
        place.connection.close()
        place.process, place.connection, place.held = None, None, ()
        place.listener.close()
        if place.is_over:
            return
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        if was_training:  # the cells' deaths are counted where they are claimed, so that this comes to an end
            place.fruitless = 0
            self._say(f"the worker on {place.name} ended ({how}); what it was training is taken over")
            self._start(place)
            return
        place.fruitless += 1
        if place.fruitless < MOST_FRUITLESS:
            self._say(f"the worker on {place.name} ended ({how}) before it trained anything; it is started again")
            self._start(place)
            return
        self._say(f"the worker on {place.name} ended ({how}) {place.fruitless} times in a row; nothing more runs there")
        if all(other.process is None and not other.is_over for other in self._places):
            raise UsageError(
                f"no worker stays alive here: each ended {MOST_FRUITLESS} times before it trained anything"
            )

    def _take_untold(self, place: Place) -> None:
        """What a worker wrote of its group and did not live to tell, as the store has it."""
        told = {record.id for record in self._records}
        for cell_id, record in self._store.records_of([each for each in place.held if each not in told]).items():
            if record.status == "done" or self._store.failure(cell_id) != self._job.failures.get(cell_id):
                self._take(place, "finished", record)

    def _end(self) -> None:
        """End the processes that are still there: each lets go of what it holds, or is killed. They are asked again and
        again: one that is just being started may lose what it is told.
        """
        alive = [place.process for place in self._places if place.process is not None]
        until = time.monotonic() + PATIENCE
        while alive and time.monotonic() < until:
            for process in alive:
                process.terminate()
            wait([process.sentinel for process in alive], AGAIN)
            alive = [process for process in alive if process.is_alive()]
        for process in alive:
            _end(process, 0.0)
        for place in self._places:
            place.listener.close()


def _end(process: BaseProcess, patience: float) -> None:
    """Wait for a process that is about to end, so long; then kill it."""
    process.join(patience)
    if process.is_alive():
        process.kill()
        process.join()


def main(connection: Connection, job: Job, seat: Seat, threads: int) -> None:
    """What a worker's process does."""
    for number in REACH_ALL:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    relay = Relay(connection)
    tell_in_lines(relay.tell)
    torch.set_num_threads(threads)
    if seat.devices[0].type == "cuda":
        torch.cuda.set_device(seat.devices[0])
    try:
        with ending_on_request(), asked_by(job.command, seat.workers), trusting(job.trust_remote_code):
            for path in job.plugins:
                load_plugin(path)
            declare_suites(job)
            work(job, seat, relay, holding=relay.holding)
        relay.tell("over")
    except Ended as ended:
        os._exit(int(ended.code or 0))  # a pool of threads whose start was interrupted would be waited for in vain
    except UsageError as error:
        # by its text alone: not every error can be sent
        relay.tell("unusable", DiskError(str(error)) if isinstance(error, DiskError) else UsageError(str(error)))
    except DeviceLost as error:
        with suppress(SystemExit):
            relay.tell("lost", str(error))
        os._exit(1)  # to end in order would ask the driver
    except Exception:
        with suppress(SystemExit):
            relay.tell("broke", traceback.format_exc())
        raise SystemExit(1) from None


def _end_with_parent() -> None:
    """Where the process that started this one is killed, this one ends too, and lets go of what it holds."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
