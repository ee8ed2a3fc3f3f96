"""Memory that is used up, allocation by allocation: each turn is a command, one that fails, a look, and it again."""

from __future__ import annotations

import random
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from bench.store.record import Record
from bench.store.store import Store
from tests.campaign.filling.scenes import Home, Scene, asides, begin, go_on, is_taken, scenes
from tests.campaign.filling.using_up import Shortage, use_up_calls, use_up_operations
from tests.campaign.killing.witness import bits

NAMED = re.compile(r"out of memory|allocate memory|MemoryError|not enough memory|no memory", re.IGNORECASE)
BY_TORCH = ("a device's", "the machine's, by torch")
OPERATIONS = [Shortage(error, lasting) for error in BY_TORCH for lasting in (False, True)]
CALLS = [Shortage("the machine's", lasting=False)]
WAYS = {"operations": (use_up_operations, OPERATIONS), "calls": (use_up_calls, CALLS)}
ROUNDING = 1e-4  # of losses, where smaller micro-batches round otherwise


@dataclass(frozen=True)
class Turn:
    """An allocation of a command that fails, in a phase."""

    scene: Scene
    way: str
    shortage: Shortage
    at: int
    phase: str


@dataclass
class Memories:
    """What came of it."""

    points: int = 0
    places: int = 0  # that were all of a command's, where none was drawn
    phases: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def line(self) -> str:
        phases = ", ".join(f"{count:,} in {phase}" for phase, count in sorted(self.phases.items()))
        ways = ", ".join(f"{count:,} {ended}" for ended, count in sorted(self.ended.items()))
        return (
            f"memory was used up {self.phases.total():,} times at {self.points:,} allocations"
            f"{f' of {self.places:,} places' if self.places else ''} ({phases}): {ways}, "
            f"{len(self.broken)} broken"
        )


def fill_memories(home: Home, number: int | None, rng: random.Random, only: str) -> Memories:
    """So many allocations of all scenes, drawn alike in every phase, or each place that allocates once: in the first
    scene that has it, at one of the times that it comes by. `only`: scenes whose name has this in it.
    """
    found, known = Memories(), {way: set[str]() for way in WAYS}
    every = [(scene, way) for scene in short_of_memory(home) for way in WAYS]
    chosen = [(scene, way) for scene, way in every if only in scene.name]
    if number is not None and number < len(chosen) * LEAST:
        chosen = [chosen[0], *rng.sample(chosen[1:], min(len(chosen), max(1, number // LEAST)) - 1)]
    while every and every[-1] not in chosen:
        del every[-1]
    for scene, way in every if number is None else chosen:
        lines = allocations(home, scene, way)
        if number is None:
            turns = of_each_place(scene, way, lines, rng, known[way])
            known[way] |= set(lines)
        else:
            turns = drawn(scene, way, lines, rng, -(-number // len(chosen)))
        if (scene, way) not in chosen:
            continue
        found.points += len(lines)
        found.places += len(turns) if number is None else 0
        for turn in turns:
            take(home, turn, found)
        print(f"{scene.name}, {way}: {len(turns)} shortages, {len(found.broken)} broken", file=sys.stderr)
    return found


LEAST = 2  # allocations of a scene


def short_of_memory(home: Home) -> list[Scene]:
    """Those scenes that are commands of different work; a run also where nothing is known of its model yet."""
    named = {scene.name: scene for scene in scenes(home)}
    names = ("run", "run, cache", "plan, temporary", "report over another", "predict to csv", "export of an adapter")
    return [named[name] for name in names]


def allocations(home: Home, scene: Scene, way: str) -> list[str]:
    """The places at which an undisturbed command allocates, as often as it does, each with its phase."""
    heard, use_up = home.place / "heard", WAYS[way][0]
    heard.write_text("")
    code = begin(home, scene, use_up(0, None, heard))
    wrong = scene.look(home, home.turn, True)
    if code or wrong:
        raise SystemExit(f"{scene.name}, undisturbed: exit {code}: {home.said.read_text()}\n{wrong}")
    return heard.read_text().splitlines()


def of_each_place(scene: Scene, way: str, lines: Sequence[str], rng: random.Random, known: Set[str]) -> list[Turn]:
    """One allocation of each place that is not known."""
    times: dict[str, list[int]] = defaultdict(list)
    for at, line in enumerate(lines, 1):
        times[line].append(at)
    shortages = WAYS[way][1]
    return [Turn(scene, way, rng.choice(shortages), rng.choice(times[at]), at) for at in times if at not in known]


def drawn(scene: Scene, way: str, lines: Sequence[str], rng: random.Random, number: int) -> list[Turn]:
    """So many allocations, as many from each phase."""
    phases: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for at, line in enumerate(lines, 1):
        phases[line.partition(" ")[0]].append((at, line))
    turns, shortages = [], WAYS[way][1]
    while len(turns) < number and phases:
        for phase in list(phases):
            at, line = phases[phase].pop(rng.randrange(len(phases[phase])))
            turns.append(Turn(scene, way, rng.choice(shortages), at, line))
            if not phases[phase]:
                del phases[phase]
    return rng.sample(turns, min(number, len(turns)))


def take(home: Home, turn: Turn, found: Memories) -> None:
    """One turn: short of memory, looked at, done again, looked at again."""
    scene, use_up = turn.scene, WAYS[turn.way][0]
    found.phases[turn.phase.partition(" ")[0]] += 1
    code = begin(home, scene, use_up(turn.at, turn.shortage))
    said = home.said.read_text()
    wrong = judged(code, said)
    wrong += [f"left aside: {path}" for path in asides(home.turn)]
    wrong += look(home, scene, code, is_over=False)
    found.ended[{0: "lost nothing", 1: "failed cells", 2: "ended in one line"}.get(code, "otherwise")] += 1
    taken = is_taken(scene, home.turn)
    again = go_on(home, scene)
    if again and not taken:
        wrong.append(f"again: exit {again}: {home.said.read_text()[-800:]}")
    wrong += [f"again: {each}" for each in look(home, scene, 0, is_over=True)]
    if wrong:
        kept = Path(tempfile.mkdtemp(prefix="broken-", dir=home.place))
        home.turn.rename(kept / "turn")
        what = f"{scene.name}: {turn.shortage} at {turn.at} of {turn.way}, {turn.phase} ({kept}): {'; '.join(wrong)}"
        found.broken.append(what)
        print(what, file=sys.stderr)


def judged(code: int, said: str) -> list[str]:
    """What is wrong with how a command has ended."""
    lines = [line for line in said.splitlines() if line.startswith("error:")]
    wrong = [f"says {word}" for word in ("Traceback", "Exception ignored") if word in said]
    if code not in (0, 1, 2) or len(lines) != (1 if code == 2 else 0):
        wrong.append(f"exit {code} with {len(lines)} lines")
    if code == 2 and not NAMED.search(lines[0] if lines else ""):
        wrong.append("memory is not named")
    return [f"{'; '.join(wrong)}: {said[-2500:]}"] if wrong else []


def look(home: Home, scene: Scene, code: int, is_over: bool) -> list[str]:
    """As the scene looks at a disk; of a run cells that failed for want of memory, and scores that are the same."""
    if not scene.name.startswith("run"):
        return scene.look(home, home.turn, is_over)
    folder = home.turn / "out"
    if not (folder / "store.json").exists():
        return ["no results in the end"] if is_over else []
    records = Store.open(folder).records()
    failed = [record for record in records if record.status == "failed"]
    wrong = [f"{record.id} failed: {record.reason}" for record in failed if is_over or not NAMED.search(record.reason)]
    expected = {record.id: record for record in Store.open(home.results).records()}
    for record in records:
        if record.status == "done" and bits(folder, record) != home.expected.get(record.id):
            wrong += differences(record, expected[record.id])
    if (is_over or code == 0) and {record.id for record in records} - {record.id for record in failed} != {*expected}:
        wrong.append(f"cells are missing with exit {code}")
    return wrong


def differences(record: Record, undisturbed: Record) -> list[str]:
    """In what a cell differs from what it comes to undisturbed, but for the rounding of smaller micro-batches."""
    halved = record.provenance.get("token_budget") != undisturbed.provenance.get("token_budget")
    near = partial(pytest.approx, rel=ROUNDING, abs=ROUNDING)
    same = record.scores == undisturbed.scores and all(
        (ours.step, ours.scores, ours.train_loss) == (theirs.step, theirs.scores, near(theirs.train_loss))
        for ours, theirs in zip(record.curve, undisturbed.curve, strict=True)
    )
    return [] if halved and same else [f"{record.id} has other bits{' and scores' * (not same)}"]
