"""Many writers: eight real runs on one folder, killed at random, on file systems and with clocks that differ.

    PYTHONPATH=. python -m tests.campaign.writers [--short] [--number 1000] [--seed 0]

Each process is the real command line in a fork of this one, which has done the imports; one that is killed is replaced.
Of six folders five are of cells that are not trained but copied from a run that nobody disturbed, claimed and written
like others, and in one of six they are trained. Worlds (tests/campaign/crowding/worlds.py) come in turn: processes of
one machine or of several, which can only watch each other's files; clocks ten years apart; no hard links, or such as
are made and said to have failed; listings of a moment ago; processes that stop for longer than the others wait. Locks
(flock, lockf) are refused in all of them. Finished cells are held, to the bit, against the undisturbed run, and by
inode and time against what was seen of them before; in a world of one machine no cell may be begun by two.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.campaign.crowding.crowd import PROCESSES, Crowd, counted
from tests.campaign.crowding.worlds import WORLDS
from tests.campaign.killing.grid import Grid
from tests.campaign.killing.witness import KINDS
from tests.campaign.kills import preload

SHORT_FOLDERS = (0, 3, 7)  # worlds of a short pass
KILLS = 25  # in a folder
SEEDS = 12
REAL_EVERY = 6


def line(crowds: list[Crowd], broken: Sequence[tuple[str, str]]) -> str:
    figures, found = counted(crowds), Counter(kind for kind, _ in broken)
    worlds = len({str(crowd.world) for crowd in crowds})
    return (
        f"writers: {figures['kills']:,} kills and {figures['pauses']:,} pauses of {figures['started']:,} runs, "
        f"{PROCESSES} at a time in {len(crowds)} folders of {worlds} worlds: "
        f"{', '.join(f'{found[kind]} {kind}' for kind in KINDS)}; "
        f"{figures['again']} cells done again for one that seemed gone"
    )


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="at most a minute")
    parser.add_argument("--number", type=int, help="kills; default: 1000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--world", type=int, help="this one alone, by its place among the worlds")
    return parser.parse_args()


def main() -> None:
    asked = read_arguments()
    number = asked.number or (len(SHORT_FOLDERS) * 5 if asked.short else 1000)
    preload()
    place, rng = Path(tempfile.mkdtemp(prefix="writers-")), random.Random(asked.seed)
    os.environ["TUNING_BENCH_CACHE"] = str(place / "cache")
    grid = Grid(place, 4 if asked.short else SEEDS)
    expected, possible = grid.undisturbed(), grid.chosen_otherwise()
    crowds, broken = list[Crowd](), list[tuple[str, str]]()
    chosen = SHORT_FOLDERS if asked.short else range(len(WORLDS)) if asked.world is None else (asked.world,)
    while sum(crowd.kills for crowd in crowds) < number:
        turn, begun = len(crowds), time.monotonic()
        world, kills = WORLDS[chosen[turn % len(chosen)]], 5 if asked.short else KILLS
        real = turn % REAL_EVERY == 1
        crowd = Crowd(place / f"out-{turn}", world, grid, expected, possible, rng.randrange(2**32), real)
        crowd.run(min(kills, number - sum(each.kills for each in crowds)))
        crowds.append(crowd)
        for kind, what in crowd.broken:
            print(f"folder {turn} ({world}): {kind}: {what}", file=sys.stderr)
        seconds = time.monotonic() - begun
        told = f"folder {turn} ({world}{', trained' if real else ''}): {crowd.kills} kills, {seconds:.0f} s"
        print(told, file=sys.stderr)
        broken += crowd.broken
        if not crowd.broken:
            shutil.rmtree(crowd.folder)
    print(line(crowds, broken))
    if broken:
        raise SystemExit(f"broken; repeat with --seed {asked.seed}; folders are in {place}")
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
