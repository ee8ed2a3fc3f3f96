"""The same cell has the same bits: grids run again and again, in worlds that should not matter and in some that round.

    python -m tests.campaign.bits [--short] [--number N] [--seed S] [--grid NAME …] [--world NAME …]

Each grid is run once in a world of its own, then in the others, by `bench run` in processes of its own; every cell's
scores, curve, predictions and tuned tensors are compared with the first. `--number` takes so many pairs of a grid and a
world, drawn by `--seed`. On two idle cores a full pass takes some hours.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.sameness.comparing import Difference, compared
from tests.campaign.sameness.grids import GRIDS, Grid, write
from tests.campaign.sameness.running import run
from tests.campaign.sameness.worlds import FIRST, NEAR, SAME, WORLDS, World

AT_ONCE = 2  # runs
# What bench/README.md promises where numbers round otherwise, of cells of a few steps in fp32 and in bf16. How far
# tuned tensors lie apart is told and not bounded: of a gradient that is nothing but rounding AdamW makes a full step.
PROBABILITIES = {"fp32": 1e-3, "bf16": 5e-2}
CHOICES = {"selected_step", "null_threshold", "found"}  # a tie, or next to one, may be decided otherwise
SHORT = [
    ("few", name)
    for name in ("little memory", "other order", "moved", "interrupted", "other home", "no vector instructions")
]


@dataclass
class Tally:
    """What was seen so far."""

    runs: int = 0
    same: int = 0  # cells that had to have equal bits
    near: int = 0  # cells that may round otherwise
    rounded: int = 0  # of these, those that did
    chosen: int = 0  # of these, those of which a choice fell otherwise: they are told and not measured
    scored: int = 0  # of those that were measured, those with another score
    probabilities: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PROBABILITIES, 0.0))
    tensors: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PROBABILITIES, 0.0))
    broken: list[str] = field(default_factory=list)

    def add(self, grid: Grid, world: World, differences: Sequence[Difference]) -> None:
        """Judge the cells of a world by what it promises."""
        self.runs += 1
        if not differences:
            self.broken.append(f"{grid.name} in {world.name!r}: no cell was compared")
        for each in differences:
            told = f"{grid.name} in {world.name!r}: {each}"
            if world.promise == "bits":
                self.same += 1
                if not each.same_bits:
                    self.broken.append(told)
            else:
                self.near += 1
                self._round(grid, each, told)

    def _round(self, grid: Grid, each: Difference, told: str) -> None:
        self.rounded += not each.same_bits
        if not CHOICES.isdisjoint(each.fields):
            self.chosen += 1
            return
        of = grid.precision
        self.scored += each.scores > 0
        self.probabilities[of] = max(self.probabilities[of], each.probabilities)
        self.tensors[of] = max(self.tensors[of], each.tensors)
        far = each.probabilities > PROBABILITIES[of] or not math.isfinite(each.tensors)
        if far or each.margin > 2 * PROBABILITIES[of] or {"id", "status", "counts", "parameters"} & set(each.fields):
            self.broken.append(told)

    def line(self, grids: int, worlds: int) -> str:
        """The figures."""
        apart = "; ".join(
            f"{of} probabilities to {self.probabilities[of]:.1e}, tensors to {self.tensors[of]:.1e}"
            for of in PROBABILITIES
            if self.tensors[of] or self.probabilities[of]
        )
        return (
            f"bits: {self.runs:,} runs of {grids} grids in {worlds} worlds: {self.same:,} cells that must have equal "
            f"bits, {self.near:,} that may round otherwise ({self.rounded:,} did, {self.scored} to another score, "
            f"{self.chosen} to another choice; {apart or 'no difference'}): {len(self.broken)} broken"
        )


def main() -> int:
    asked = _arguments()
    pairs = _pairs(asked)
    grids = list(dict.fromkeys(grid for grid, _ in pairs))
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="bits-") as place, ThreadPoolExecutor(AT_ONCE) as pool:
        folder = Path(place)
        for name in grids:
            write(GRIDS[name], folder)
        firsts = dict(zip(grids, pool.map(lambda name: run(GRIDS[name], FIRST, folder), grids), strict=True))

        def tried(pair: tuple[str, str]) -> list[Difference] | Exception:
            grid, world = GRIDS[pair[0]], WORLDS[pair[1]]
            try:
                return compared(firsts[grid.name], run(grid, world, folder))
            except Exception as error:
                return error

        for (name, world), found in zip(pairs, pool.map(tried, pairs), strict=True):
            before = len(tally.broken)
            if isinstance(found, Exception):
                tally.broken.append(f"{name} in {world!r}: {type(found).__name__}: {found}")
            else:
                tally.add(GRIDS[name], WORLDS[world], found)
            told = "; ".join(tally.broken[before:]) or "as promised"
            print(f"{name} in {world!r}: {told}", file=sys.stderr)
    print(tally.line(len(grids), len({world for _, world in pairs})))
    return 1 if tally.broken else 0


def _pairs(asked: argparse.Namespace) -> list[tuple[str, str]]:
    """Grids and worlds to be tried. What trials choose may fall otherwise where numbers round: they have other ids."""
    if asked.short:
        return SHORT
    worlds = [world for world in (*SAME, *NEAR) if not asked.world or world.name in asked.world]
    pairs = [
        (grid, world.name)
        for grid in asked.grid or [name for name in GRIDS if name != "few"]
        for world in worlds
        if world.promise == "bits" or grid != "trials"
    ]
    if asked.number is not None and asked.number < len(pairs):
        pairs = sorted(random.Random(asked.seed).sample(pairs, asked.number), key=pairs.index)
    return pairs


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.bits", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--short", action="store_true", help="a minute: one grid, a few worlds")
    parser.add_argument("--number", type=int, help="pairs of a grid and a world; default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of pairs")
    parser.add_argument("--grid", action="append", choices=sorted(GRIDS), help="these alone; repeatable")
    parser.add_argument("--world", action="append", choices=sorted(WORLDS), help="these alone; repeatable")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
