"""Every bit that turns in a finished results folder is noticed when it is read.

    python -m tests.campaign.corruption [--short] [--number BITS-A-FILE] [--seed S]

A folder is made by real runs. In each of its files every bit is turned, one after another (or BITS-A-FILE drawn
ones), and other damages are done; the program's own readers must refuse each (of store.json, which says nothing but the
format, bits alone are turned). Then, for some of each kind of file, the commands are asked: `bench check` names it
alone, a report leaves it out and says so, predict and export refuse it, and `bench run` measures the cell again, comes
to the same bytes, and touches no other.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.campaign.damage import Target, bits_of, changed, damages, flipped, targets
from tests.campaign.damaged_commands import wrong
from tests.campaign.finished_folder import Finished, finished_folder

SHORT_BITS, OTHER_DAMAGES, SHORT_DAMAGES = 400, 2_000, 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="at most a minute")
    parser.add_argument("--number", type=int, help="bits of each file, default: every one")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    most = asked.number or (SHORT_BITS if asked.short else None)
    rng, counts, broken = random.Random(asked.seed), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory(prefix="corruption-") as place:
        made = finished_folder(Path(place))
        for target in targets(made.path):
            broken += _unnoticed(target, most, SHORT_DAMAGES if asked.short else OTHER_DAMAGES, rng, counts)
            print(f"{target.kind} {target.path.name}: {counts['bits']:,} bits", file=sys.stderr)
        broken += _through_commands(made, 1 if asked.short else 4, rng, counts)
    for line in broken:
        print(f"seed {asked.seed}: {line}", file=sys.stderr)
    print(
        f"corruption: {counts['bits']:,} bits turned, {counts['damages']:,} other damages in {counts['files']} files: "
        f"{counts['unnoticed']} unnoticed; {counts['commands']} through check, report, predict, export and run: "
        f"{len(broken) - counts['unnoticed']} otherwise than promised"
    )
    return 1 if broken else 0


def _unnoticed(
    target: Target, most: int | None, others: int, rng: random.Random, counts: Counter[str]
) -> Iterator[str]:  # fmt: skip
    content = target.path.read_bytes()
    counts["files"] += 1
    if target.says() is not None:
        raise RuntimeError(f"{target.path} is not whole to begin with: {target.says()}")
    cases = [(f"bit {bit}", flipped(content, bit)) for bit in bits_of(content, most, rng)]
    counts["bits"] += len(cases)
    cases_and_damages = [*cases, *(damages(content, rng, others) if target.kind != "mark" else ())]
    counts["damages"] += len(cases_and_damages) - len(cases)
    for name, left in cases_and_damages:
        with changed(target.path, left):
            said = target.says()
        if said is None:
            counts["unnoticed"] += 1
            yield f"{target.path.name} ({target.kind}), {name}: nobody notices"


def _through_commands(made: Finished, rounds: int, rng: random.Random, counts: Counter[str]) -> Iterator[str]:
    kinds: dict[str, list[Target]] = {}
    for target in targets(made.path):
        kinds.setdefault(target.kind, []).append(target)
    for _ in range(rounds):
        for of_kind in kinds.values():
            counts["commands"] += 1
            yield from wrong(made, rng.choice(of_kind), rng)


if __name__ == "__main__":
    sys.exit(main())
