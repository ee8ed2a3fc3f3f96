"""Disks that refuse, call by call: each turn is a command, a call that fails, a look, and the command again."""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.filling.refusing import COUNTED, FLUSH, MAKE, OPEN, REFUSALS, REMOVE, REPLACE, WRITE, Refusal, arm
from tests.campaign.filling.scenes import Home, Scene, asides, begin, go_on, is_taken, scenes

MIXED = "half of a report"  # whole files, of before and of now
LEAST = 2  # calls of a scene
KINDS = {
    "create": MAKE, "mkdir": MAKE, "rename": MAKE, "link": MAKE, "symlink": MAKE, "write": WRITE, "truncate": WRITE,
    "reserve": WRITE, "flush": FLUSH, "open": OPEN, "unlink": REMOVE, "rmdir": REMOVE, "replace": REPLACE,
}  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """A call of a command that fails: the so-many-th of those that the refusal is about."""

    scene: Scene
    refusal: Refusal
    at: int
    call: str


@dataclass
class Disks:
    """What came of it."""

    points: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def line(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.refusals.items()))
        return (
            f"disks refused {self.refusals.total():,} of {self.points:,} writes ({kinds}): {self.ended['one line']:,} "
            f"ended in one line, {self.ended['nothing lost']:,} lost nothing, {len(self.broken)} broken"
        )


def fill_disks(home: Home, number: int | None, rng: random.Random, only: str) -> Disks:
    """Every call of every scene, or so many drawn, each scene alike; `only`: scenes whose name has this in it."""
    found, chosen = Disks(), [scene for scene in scenes(home) if only in scene.name]
    each = None if number is None else max(LEAST, -(-number // len(chosen)))
    if number is not None and number < each * len(chosen):  # what is counted first takes its time too
        chosen = [chosen[0], *rng.sample(chosen[1:], number // each - 1)]
    for scene in chosen:
        turns = turns_of(home, scene, rng)
        found.points += len(turns)
        drawn = turns if each is None else rng.sample(turns, min(each, len(turns)))
        for turn in drawn:
            take(home, turn, found)
        print(f"{scene.name}: {len(drawn)} of {len(turns)} calls, {len(found.broken)} broken", file=sys.stderr)
    return found


def turns_of(home: Home, scene: Scene, rng: random.Random) -> list[Turn]:
    """A turn for each call that an undisturbed command makes, each with one of the ways in which it may fail."""
    heard = home.place / "heard"
    code = begin(home, scene, arm(scene.disks(home.turn), COUNTED, 0, heard))
    said = home.said.read_text()
    wrong = scene.look(home, home.turn, True)
    if code or wrong:
        raise SystemExit(f"{scene.name}, undisturbed: exit {code}: {said}\n{wrong}")
    calls = [line.partition(" ")[::2] for line in heard.read_text().splitlines()]
    turns = []
    for number, (call, path) in enumerate(calls, 1):
        refusal = rng.choice([each for each in REFUSALS if each.kinds & KINDS[call]])
        at = sum(1 for other, _ in calls[:number] if refusal.kinds & KINDS[other])
        turns.append(Turn(scene, refusal, at, f"{call} of {path}"))
    return turns


def take(home: Home, turn: Turn, found: Disks) -> None:
    """One turn: refused, looked at, done again, looked at again."""
    scene = turn.scene
    found.refusals[turn.refusal.name] += 1
    code = begin(home, scene, arm(scene.disks(home.turn), turn.refusal, turn.at))
    said = home.said.read_text()
    wrong = judged(scene, code, said)
    wrong += [f"left aside: {path}" for path in asides(home.turn) if turn.refusal.removes]
    seen = scene.look(home, home.turn, False)
    wrong += [what for what in seen if turn.refusal.takes_back or not what.startswith(MIXED)]  # of whole files
    found.ended["one line" if code else "nothing lost"] += 1
    taken = is_taken(scene, home.turn)
    again = go_on(home, scene)
    if again and not taken:
        wrong.append(f"again: exit {again}: {home.said.read_text()[-800:]}")
    wrong += [f"again: {each}" for each in scene.look(home, home.turn, True)]
    if wrong:
        kept = Path(tempfile.mkdtemp(prefix="broken-", dir=home.place))
        home.turn.rename(kept / "turn")
        what = f"{scene.name}: {turn.refusal.name} at {turn.at}, {turn.call} ({kept}): {'; '.join(wrong)}"
        found.broken.append(what)
        print(what, file=sys.stderr)


def judged(scene: Scene, code: int, said: str) -> list[str]:
    """What is wrong with how a command has ended: one line that begins with "error:", no more."""
    lines = [line for line in said.splitlines() if line.startswith("error:")]
    wrong = [f"says {word}" for word in ("Traceback", "Exception ignored", "Error:") if word in said]
    if code not in (0, 2) or len(lines) != (1 if code else 0):
        wrong.append(f"exit {code} with {len(lines)} lines")
    if scene.costs_time_only and code:
        wrong.append(f"exit {code}")
    return [f"{'; '.join(wrong)}: {said[-1500:]}"] if wrong else []
