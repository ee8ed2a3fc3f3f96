"""Long: a grid of many tiny cells, and what every command that meets it takes of time, memory and files.

    PYTHONPATH=. python -m tests.campaign.long [--short] [--number 10000] [--seed 0]

First the growth, at three sizes of a folder, each twice the one before: calls of functions and openings of files are
counted, which no other process and no slower machine changes. From one size to the next they may double; what is
quadratic takes four times as much. Then a folder of the whole number: its run is resumed, one more seed of it is really
trained, it is looked at, checked and reported, each by a process that is watched. Seconds are the processor's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.store.store import Store
from tests.campaign.long_grid import REAL_SEEDS, REFERENCE, LongGrid, fill
from tests.campaign.long_watched import Counted, Look, Openings, Taken, counted, watched

NUMBER = 10_000
SIZES = (4, 8, 16)  # seeds of the grid whose growth is counted: 64, 128, 256 cells
GROWTH = LongGrid(SIZES[-1], rates=2, tasks=1)
MOST_GROWTH = 2.2  # of what a doubled folder adds, over what the doubling before added
# of files, a finished cell; a report reads its record, which has their checksum, and its predictions
OPENINGS = {"status": 0.1, "run": 3.1, "check": 3.1, "report": 2.1}
TENSORS, READERS = ".safetensors", ("run", "check")  # who alone may read them
START_SECONDS, LOOK_SECONDS, CHECK_SECONDS, REPORT_SECONDS = 5.0, 5.0, 20.0, 60.0  # for NUMBER cells
MEMORY, PAGE_BYTES = 2 * 2**30, 40 * 2**20  # bytes, for NUMBER cells
FLAT_MEMORY, FLAT_HANDLES = 32 * 2**20, 2  # what a run may gain in its last quarter
MOST_FILES, MOST_BESIDE = 3, 20  # in a finished cell's folder, and in every other one


class Campaign:
    """Figures and what broke."""

    def __init__(self, place: Path, seed: int) -> None:
        self.place, self.seed = place, seed
        self.broken: list[str] = []
        self.figures: list[str] = []

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.broken.append(what)

    def grows(self, folder: Path) -> None:
        """What the commands do at three sizes of one folder."""
        real, openings = Store.open(self.place / "real"), Openings()
        sizes: list[dict[str, Counted]] = []
        for number in (SIZES[0], *SIZES):  # the first twice: what a process does once is done then
            grid = replace(GROWTH, seeds=number)
            fill(grid, folder, real, self.seed)
            sizes.append({name: counted(openings, folder, *words) for name, words in _commands(grid, folder).items()})
            print(f"{len(grid.cells())} cells counted", file=sys.stderr)
        added = GROWTH.per_seed * (SIZES[2] - SIZES[1])
        steepest = 0.0
        for name in sizes[-1]:
            _, first, second, third = (size[name] for size in sizes)
            growth = (third.calls - second.calls) / max(second.calls - first.calls, 1)
            each = (third.opened.total() - second.opened.total()) / added
            steepest = max(steepest, growth)
            self.expect(growth <= MOST_GROWTH, f"bench {name} does {growth:.2f} times as much where 2 is linear")
            self.expect(each <= OPENINGS[name], f"bench {name} opens {each:.2f} files a cell, not {OPENINGS[name]}")
            reads_tensors = third.opened[TENSORS] > second.opened[TENSORS]
            self.expect(
                name in ("run", "check") or not reads_tensors, f"bench {name} opens tensors that it does not need"
            )
            self.figures.append(f"{name} {(third.calls - second.calls) / added:,.0f} calls and {each:.2f} files a cell")
        self.figures.append(f"growth at most {steepest:.2f} where 2 is linear")

    def stands(self, grid: LongGrid, folder: Path, small: Path) -> None:
        """A folder of a whole grid before each command, and after a seed more has been trained; `small` has that of
        GROWTH.
        """
        share = len(grid.cells()) / NUMBER
        fill(grid, folder, Store.open(self.place / "real"), self.seed)
        print(f"{len(grid.cells()):,} cells written", file=sys.stderr)
        self.browsable(grid, folder)
        marks = _marks(folder)
        self._resumed(grid, folder, small, share)
        self.expect(_marks(folder) == marks, "a resumed run with nothing left has changed finished cells")
        self.one_seed_more(grid, folder)
        whole = replace(grid, seeds=grid.seeds + 1)
        status = self._watched("status", folder, "--json")
        self._in_time("status", status.seconds, LOOK_SECONDS, share)
        cells = json.loads(status.out)["cells"]
        self.expect(cells["done"] == cells["planned"] == len(whole.cells()), f"status says {cells}")
        self._in_time("check", self._watched("check", folder).seconds, CHECK_SECONDS, share)
        self._reported(whole, folder, share)

    def _resumed(self, grid: LongGrid, folder: Path, small: Path, share: float) -> None:
        """What a folder's size adds to a run with nothing left, beside the loading of torch and transformers."""
        start = self._watched("run", *GROWTH.flags(small), "--no-probe").seconds
        whole = self._watched("run", *grid.flags(folder), "--no-probe").seconds
        self._in_time(f"resumed in {whole:.1f} s of which the folder's size", whole - start, START_SECONDS, share)

    def one_seed_more(self, grid: LongGrid, folder: Path) -> None:
        """Train a seed more of a grid that is finished, and watch the run."""
        before, marks = len(os.listdir(folder / "cells")), _marks(folder)
        taken = self._watched(
            "run", *replace(grid, seeds=grid.seeds + 1).flags(folder), "--no-probe", "--no-save-tuned",
            cells=lambda: len(os.listdir(folder / "cells")) - before,
        )  # fmt: skip
        now = _marks(folder)
        self.expect(len(now) - len(marks) == grid.per_seed, f"one more seed added {len(now) - len(marks)} cells")
        self.expect(marks.items() <= now.items(), "one more seed has changed finished cells")
        self._flat(f"one more seed ({grid.per_seed} cells)", taken, grid.per_seed)

    def really_run(self, grid: LongGrid, folder: Path) -> None:
        """Train the cells that the others are copies of, and watch the run."""
        taken = self._watched(
            "run", *grid.flags(folder), "--no-probe", cells=lambda: len(list(folder.glob("cells/*")))
        )  # fmt: skip
        self._flat(f"{len(grid.cells())} cells really run", taken, len(grid.cells()))

    def _flat(self, what: str, taken: Taken, cells: int) -> None:
        third, last = _quarters(taken.looks, cells)
        gained = max(look.memory for look in last) - max(look.memory for look in third)
        handles = max(look.handles for look in last) - max(look.handles for look in third)
        self.expect(gained <= FLAT_MEMORY, f"a run gained {gained / 2**20:.0f} MiB in its last quarter")
        self.expect(handles <= FLAT_HANDLES, f"a run gained {handles} open files in its last quarter")
        self.figures.append(
            f"{what} at {taken.peak_bytes / 2**20:,.0f} MiB ({gained / 2**20:+.1f}) and "
            f"{max(look.handles for look in taken.looks)} handles ({handles:+d})"
        )

    def browsable(self, grid: LongGrid, folder: Path) -> None:
        """A folder a cell, a few files in each, and nothing beside it of which there are many."""
        entries = {path.name: len(os.listdir(path)) for path in folder.iterdir() if path.is_dir()}
        of_cell = max(len(os.listdir(path)) for path in (folder / "cells").iterdir())
        num_cells = entries.pop("cells")
        self.expect(of_cell <= MOST_FILES, f"a cell's folder has {of_cell} files")
        self.expect(max(entries.values()) <= MOST_BESIDE, f"folders of many files: {entries}")
        self.expect(num_cells == len(grid.cells()), f"{num_cells} folders of {len(grid.cells())} cells")
        self.figures.append(f"{of_cell} files in a cell's folder")

    def _reported(self, grid: LongGrid, folder: Path, share: float) -> None:
        report = self._watched("report", folder, "--reference", REFERENCE)
        self._in_time("report", report.seconds, REPORT_SECONDS, share)
        self.expect(report.peak_bytes <= MEMORY, f"a report takes {report.peak_bytes / 2**20:,.0f} MiB")
        self.expect("left out" not in report.out + report.err, "a report leaves something out")
        size = (folder / "report" / "report.html").stat().st_size
        self.expect(size <= PAGE_BYTES, f"the page has {size / 2**20:.1f} MiB")
        rows = (folder / "report" / "table-smoke.csv").read_text().count("\n") - 1
        self.expect(rows > 0, "the report has no table")
        self.figures.append(f"report {report.peak_bytes / 2**20:,.0f} MiB, its page {size / 2**20:.1f} MiB")

    def _watched(self, name: str, *words: object, cells: Callable[[], int] = lambda: 0) -> Taken:
        taken = watched(name, *words, cells=cells)
        self.expect(taken.code == 0, f"bench {name} ended with {taken.code}: {taken.err[-1500:]}")
        print(f"{name}: {taken.seconds:.1f} s", file=sys.stderr)
        return taken

    def _in_time(self, what: str, seconds: float, most: float, share: float) -> None:
        """Of fewer cells than NUMBER a start takes as long; of more, as many times longer."""
        self.figures.append(f"{what} {seconds:.1f} s")
        self.expect(seconds <= most * max(share, 1), f"{what} {seconds:.1f} s, not {most:g}")


def _commands(grid: LongGrid, folder: Path) -> Mapping[str, list[object]]:
    return {
        "status": ["status", folder],
        "run": ["run", *grid.flags(folder), "--no-probe"],
        "check": ["check", folder],
        "report": ["report", folder, "--format", "csv", "--reference", REFERENCE],
    }


def _marks(folder: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("cells/*/record.json")}


def _quarters(looks: list[Look], cells: int) -> tuple[list[Look], list[Look]]:
    """Those in the third quarter of the cells, in which every model has been loaded, and those in the last one; not
    those after the last cell, when the run reports.
    """
    third = [look for look in looks if cells // 2 < look.cells <= cells * 3 // 4]
    last = [look for look in looks if cells * 3 // 4 < look.cells < cells]
    before = [look for look in looks if look.cells < cells][-1:]
    return third or last or before, last or before


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="at most a minute: 256 cells, no bound on seconds")
    parser.add_argument("--number", type=int, help=f"cells; default: {NUMBER:,}")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    asked = read_arguments()
    place = Path(tempfile.mkdtemp(prefix="long-"))
    os.environ["TUNING_BENCH_CACHE"] = str(place / "cache")
    grid = GROWTH if asked.short else LongGrid.of(asked.number or NUMBER)
    campaign, growing = Campaign(place, asked.seed), place / "growing"
    campaign.really_run(LongGrid(REAL_SEEDS, 1, grid.tasks), place / "real")
    campaign.grows(growing)
    if asked.short:
        campaign.browsable(grid, growing)
    else:
        campaign.stands(grid, place / "long", growing)
    print(f"long: {len(grid.cells()):,} cells: {'; '.join(campaign.figures)}; {len(campaign.broken)} broken")
    for what in campaign.broken:
        print(what, file=sys.stderr)
    if campaign.broken:
        raise SystemExit(f"broken; repeat with --seed {asked.seed}; folders are in {place}")
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
