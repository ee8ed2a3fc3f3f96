"""Kills: SIGKILL, and requests to end, over real runs, in every phase and at any moment; kills of the store's writer.

    PYTHONPATH=. python -m tests.campaign.kills [--short] [--number 1000] [--seed 0]

Each run is the real command line in a fork of this process, which has done the imports (its workers, where it has two,
are forks too); one run in a hundred is a new Python, killed while it starts. A run is killed at a call of a named
function, before a change of its folder, or at a random moment, and the same command goes on; when a grid is complete
another folder is begun. After every kill all finished cells are read and compared, to the bit, with those of a run that
nobody disturbed, and by inode and time with what was seen of them before. As many kills fall on the writer alone.

A request (Ctrl-C, SIGTERM, SIGHUP, once or twice, to the first process or to all of them) comes at the same places.
After it a run has ended by itself, has let go of what it held, and no cell has failed of it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.campaign.killing import children
from tests.campaign.killing.grid import Grid
from tests.campaign.killing.points import PHASES, REPORTING, Blow, at_call, at_change
from tests.campaign.killing.witness import KINDS, Witness, keep_diary
from tests.campaign.killing.writing import kill_writers

SHORT = 14  # kills of runs, and ten times as many of the writer
WEIGHTS = {"call": 40, "change": 22, "moment": 15, "workers": 18, "report": 4, "start": 1, "asked": 20, "all_asked": 10}
REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDS = {0, 1, *(sign * number + offset for number in REQUESTS for sign, offset in ((-1, 0), (1, 128)))}  # exit codes
NO_BLOW = "none"
IMPORTED = (
    "pyarrow.parquet", "sklearn.metrics", "transformers.models.bert.modeling_bert", "bench.cli", "bench.commands.grid",
    "bench.commands.measure", "bench.commands.report", "bench.execute.pool", "bench.report.files",
)  # fmt: skip


def preload() -> None:
    """What a run imports, once."""
    for name in IMPORTED:
        importlib.import_module(name)


class Campaign:
    """Folders one after another, each with runs that are killed until its grid is complete."""

    def __init__(self, place: Path, rng: random.Random) -> None:
        self._place, self._rng = place, rng
        self._grid = Grid(place)
        self._expected, self._possible = self._grid.undisturbed(), self._grid.chosen_otherwise()
        self._once, self._said = place / "once", place / "said.log"
        self.runs = self.folders = 0
        self.kills: Counter[str] = Counter()
        self.requests = 0
        self.broken: list[tuple[str, str]] = []
        self._begin()

    def _begin(self) -> None:
        self._out = self._place / f"out-{self.folders}"
        diary = self._place / f"diary-{self.folders}"
        self._witness = Witness(self._out, diary, self._expected, self._possible)
        self._seconds = 2.0  # that a run takes which is not killed

    def turn(self, kind: str) -> None:
        """One run, with a kill or, in workers, some."""
        self.runs += 1
        self._once.unlink(missing_ok=True)
        before = len(self._witness.broken)
        told = getattr(self, f"_{kind}")()
        self._witness.look()
        for kind_of_break, what in self._witness.broken[before:]:
            print(f"run {self.runs}, {told}: {kind_of_break}: {what}", file=sys.stderr)
        if self._witness.broken or not self._expected.keys() - self._witness.finished.keys():
            self._complete()

    def _complete(self) -> None:
        """What is left is done undisturbed, and the folder looked at for the last time, as if a day had passed: then a
        report removes what earlier ones that were killed have left beside it.
        """
        for left in self._out.glob("report/.*"):
            os.utime(left, (0, 0))
        for words in (self._grid.words(self._out), ["report", self._out, "--format", "md"]):
            code = children.wait(children.fork(self._armed(words), self._said))
            if code:
                self._witness.say(f"exit {code} of {words[0]} in the end: {self._said.read_text()[-1500:]}")
        self._witness.look_at_end()
        self.broken += self._witness.broken
        for kind, what in self._witness.broken:
            print(f"{self._out.name}: {kind}: {what}", file=sys.stderr)
        if not self._witness.broken:
            shutil.rmtree(self._out)
        self.folders += 1
        self._begin()

    def _armed(self, words: Sequence[object], arm: Callable[[], None] = lambda: None) -> Callable[[], None]:
        return children.command(words, keep_diary(self._witness.diary), arm)

    def _call(self) -> str:
        phase = self._rng.choice(sorted(PHASES))
        point, turn, after = self._rng.choice(PHASES[phase]), self._turn_of(phase), self._rng.random() < 0.5
        arm = at_call(point, turn, after, Blow(self._once, worker=False))
        self._one(self._grid.words(self._out), phase, arm)
        return f"{'after' if after else 'before'} call {turn} of {point[1]}"

    def _turn_of(self, phase: str) -> int:
        often = phase in ("claiming", "training", "evaluation", "writing")
        return self._rng.randint(1, 12) if often else 1

    def _change(self) -> str:
        turn = self._rng.randint(1, 150)
        arm = at_change(self._out, turn, Blow(self._once, worker=False))
        self._one(self._grid.words(self._out), "a change of the folder", arm)
        return f"before change {turn}"

    def _report(self) -> str:
        if not self._witness.finished:
            self.runs -= 1
            return "no report yet"
        blow, words = Blow(self._once, worker=False), ["report", self._out]
        turn, point = self._rng.randint(1, 40), self._rng.choice(REPORTING)
        arm = at_call(point, 1, self._rng.random() < 0.5, blow) if turn > 20 else at_change(self._out, turn, blow)
        self._one(words, "reporting", arm)
        return f"reporting: {point[1] if turn > 20 else f'before change {turn}'}"

    def _moment(self) -> str:
        begun = time.monotonic()
        child = children.fork(self._armed(self._grid.words(self._out)), self._said)
        wait = self._rng.uniform(0, self._seconds)
        code = self._until(child, begun + wait)
        if code is None:
            os.kill(child, signal.SIGKILL)
            code = children.wait(child)
        else:
            self._seconds = time.monotonic() - begun
        self._end(code, "any moment")
        return f"after {wait:.3f} s"

    def _one(self, words: Sequence[object], what: str, arm: Callable[[], None]) -> None:
        child = children.fork(self._armed(words, arm), self._said)
        self._end(children.wait(child), what)

    def _start(self) -> str:
        wait = self._rng.uniform(0, 5)
        child = subprocess.Popen(
            [sys.executable, "-m", "bench", *map(str, self._grid.words(self._out))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            self._end(child.wait(wait), NO_BLOW)
        except subprocess.TimeoutExpired:
            child.kill()
            self._end(child.wait(), "start-up")
        return f"a new Python, after {wait:.3f} s"

    def _workers(self) -> str:
        """A worker dies at a point; then processes at random moments, the first one sooner or later."""
        phase = self._rng.choice(["claiming", "loading", "training", "evaluation", "writing", "choosing"])
        point, blow = self._rng.choice(PHASES[phase]), Blow(self._once, worker=True)
        turn, after = self._turn_of(phase), self._rng.random() < 0.5
        arm = self._rng.choice([at_call(point, turn, after, blow), at_change(self._out, 6 * turn, blow)])
        child = children.fork(self._armed(self._grid.words(self._out, workers=2), arm), self._said)
        code = None
        while code is None and (code := self._until(child, time.monotonic() + self._rng.uniform(0.1, 1.5))) is None:
            victim = self._rng.choice(children.living(child) or [child])
            os.kill(victim, signal.SIGKILL)
            self.kills["the first of several" if victim == child else "a worker"] += 1
            if victim == child:
                code = children.wait(child)
        if self._once.exists():
            self.kills["a worker"] += 1
        if not children.all_end(child):
            self._witness.say("workers outlived the process that started them")
        self._hear(code)
        return f"two workers, {point[1]}"

    def _asked(self) -> str:
        """A request to a run of one process: at a point, or from outside and maybe twice."""
        number, phase = self._rng.choice(REQUESTS), self._rng.choice(sorted(PHASES))
        point, turn, after = self._rng.choice(PHASES[phase]), self._turn_of(phase), self._rng.random() < 0.5
        blow = Blow(self._once, worker=False, number=number)
        where = self._rng.choice(["call", "change", "moment"])
        arms = {"call": at_call(point, turn, after, blow), "change": at_change(self._out, turn * 12, blow)}
        self._witness.note_held()
        words = self._grid.words(self._out)
        child = children.fork(self._armed(words, *([arms[where]] if where in arms else [])), self._said)
        if where == "moment":
            self._ask(child, number, os.kill)
        self._hear_asked(child, self._once.exists() or where == "moment")
        place = {"call": f"{'after' if after else 'before'} call {turn} of {point[1]}", "change": f"change {turn * 12}"}
        return f"{number.name} at {place.get(where, 'any moment')}"

    def _all_asked(self) -> str:
        """A request to a run of two workers: to the first process, or to all as from a terminal or a queue."""
        number, ask = self._rng.choice(REQUESTS), self._rng.choice([os.kill, os.killpg])
        self._witness.note_held()
        child = children.fork(self._armed(self._grid.words(self._out, workers=2)), self._said)
        self._ask(child, number, ask)
        self._hear_asked(child, True)
        return f"{number.name} by {ask.__name__}, two workers"

    def _ask(self, child: int, number: signal.Signals, ask: Callable[[int, int], None]) -> None:
        """Ask for the end at some moment; SIGTERM and SIGHUP in some cases once more soon after."""
        for wait in (self._rng.uniform(0, self._seconds), self._rng.uniform(0, 0.1)):
            ended = time.monotonic() + wait
            while time.monotonic() < ended and children.is_alive(child):
                time.sleep(0.002)
            if children.is_alive(child) and os.getpgid(child) == child:
                ask(child, number)
            if number == signal.SIGINT or self._rng.random() < 0.5:
                return

    def _hear_asked(self, child: int, was_asked: bool) -> None:
        """Ended within its time, as it was asked to or, where it was too late for that, as it would have."""
        code = self._until(child, time.monotonic() + children.PATIENCE)
        if code is None:
            self._witness.say("does not end when it is asked to")
        if not children.all_end(child):
            self._witness.say("workers outlived the process that started them")
        self.requests += was_asked
        said = self._said.read_text()
        if "Traceback" in said or "Exception ignored" in said or code not in ENDS:
            self._witness.say(f"exit {code}: {said[-1500:]}")
        self._witness.look_after_request()

    def _until(self, child: int, until: float) -> int | None:
        """The exit code of a child that ends before."""
        while time.monotonic() < until:
            code = children.ended(child)
            if code is not None:
                return code
            time.sleep(0.002)
        return None

    def _end(self, code: int, what: str) -> None:
        if code == -signal.SIGKILL:
            self.kills[what] += 1
        self._hear(code)

    def _hear(self, code: int) -> None:
        """A run that was not killed ends as it should; with workers a cell may be given up after three deaths."""
        said = self._said.read_text() if self._said.exists() else ""
        if code == -signal.SIGKILL:
            return
        given_up = "workers ended while they trained it" in said or "no worker stays alive" in said
        if "Traceback" in said or (code and not given_up):
            self._witness.say(f"exit {code}: {said[-1500:]}")


def line(campaign: Campaign, of_writer: int, broken: Sequence[tuple[str, str]]) -> str:
    kinds = ", ".join(f"{count:,} in {what}" if what in PHASES or what == "reporting" else f"{count:,} at {what}"
                      for what, count in sorted(campaign.kills.items()))  # fmt: skip
    found = Counter(kind for kind, _ in broken)
    total = sum(campaign.kills.values())
    return (
        f"kills: {total:,} kills of {campaign.runs:,} runs in {campaign.folders:,} folders ({kinds}), "
        f"{campaign.requests:,} requests to end, and {of_writer:,} kills of the writer: "
        f"{', '.join(f'{found[kind]} {kind}' for kind in KINDS)}"
    )


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="at most a minute")
    parser.add_argument("--number", type=int, help="kills of runs, and as many of the writer; default: 1000")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    asked = read_arguments()
    number = asked.number or (SHORT if asked.short else 1000)
    of_writer = 10 * number if asked.short else number
    preload()
    rng, place = random.Random(asked.seed), Path(tempfile.mkdtemp(prefix="kills-"))
    os.environ["TUNING_BENCH_CACHE"] = str(place / "cache")
    told = partial(print, file=sys.stderr)
    broken = kill_writers(place, of_writer, rng, told)
    for kind, what in broken:
        print(f"writer: {kind}: {what}", file=sys.stderr)
    campaign = Campaign(place, rng)
    weights = {kind: weight for kind, weight in WEIGHTS.items() if not asked.short or kind != "start"}
    while sum(campaign.kills.values()) < number:
        campaign.turn(rng.choices(list(weights), list(weights.values()))[0])
        if campaign.runs % 20 == 0:
            told(f"{sum(campaign.kills.values())} kills of {campaign.runs} runs")
    campaign._complete()
    broken += campaign.broken
    print(line(campaign, of_writer, broken))
    if broken:
        raise SystemExit(f"broken; repeat with --seed {asked.seed}; folders are in {place}")
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
