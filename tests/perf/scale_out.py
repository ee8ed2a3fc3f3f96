"""How far many workers carry: the real store, claims and queue, with a sleep in place of training.

    PYTHONPATH=. python tests/perf/scale_out.py [--cells 10000] [--workers 64] [--kills 500] [--train-ms 200]

Cells of the smoke suite are claimed in groups, slept over, and written with files of a real size, by worker processes
that share one folder. While they work, some are killed at random (SIGKILL) and replaced. It prints cells a second;
what a cell costs beside its training, by the clock and of a processor, in claiming (with looks at the folder) and in
writing; what a look costs in a folder of this size; and whether every cell is there once, how many were trained again,
what was given up, and what the killed left. No torch is loaded.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.cell import Plan
from bench.execute.job import Job, grid_of
from bench.execute.work import Work
from bench.plan.cells import plan
from bench.request import RunRequest
from bench.resolved import ResolvedCell, resolve
from bench.store.claims import Claims
from bench.store.record import CurvePoint, Record
from bench.store.store import Store
from bench.store.workers import Presence, Watch, new_identity

PREDICTIONS, TENSORS = 30_000, 100_000  # bytes of predictions.parquet and tuned.safetensors
POINTS = 30  # evaluations in a curve: record.json then has about 6 kB


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--train-ms", type=float, default=200.0, help="mean of a cell's sleep, exponentially spread")
    parser.add_argument("--lanes", type=int, default=8, help="most cells of a group")
    parser.add_argument("--trials", type=int, default=0, help="settings a line's cells are chosen from")
    parser.add_argument("--tensors", action="store_true", help="write tuned.safetensors too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work, default: a temporary folder")
    return parser.parse_args()


def make_plan(num_cells: int, trials: int) -> Plan:
    """So many cells of a task of the smoke suite: three methods whose cells share loops, and one whose do not."""
    searched = {"trials": trials} if trials else {}
    asked = RunRequest(
        tasks="sentiment", models="tiny", methods="ptv2,prompt_tuning,linear_probe,finetune",
        seeds=max(1, num_cells // 4), **searched,
    )  # fmt: skip
    whole = plan(asked, "fp32")
    return replace(whole, cells=whole.cells[:num_cells])


def record_of(resolved: ResolvedCell) -> Record:
    main = resolved.task.main_metric
    rng = random.Random(resolved.cell.id)
    scores = {main: rng.random()}
    curve = [CurvePoint(step=at, epoch=at / 10, train_loss=rng.random(), scores=scores) for at in range(POINTS)]
    return Record(
        id=resolved.cell.id, cell=resolved.cell, status="done", main_metric=main, scores=scores, curve=curve,
        selection_score=scores[main], selected_step=1,
    )  # fmt: skip


def filler(size: int) -> Callable[[Path], None]:
    def fill(path: Path) -> None:
        path.write_bytes(b"x" * size)

    return fill


class Diary:
    """What one worker does, a line at a time, so that what a killed one did is not lost."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def note(self, *words: object) -> None:
        print(*words, file=self._file)


def work(job: Job, train_ms: float, tensors: bool, diary: Diary) -> None:
    """What bench.execute.worker.work does, without torch."""
    begun = time.perf_counter()
    identity, watch = new_identity(job.run), Watch(job.folder)
    store, claims = Store(job.folder, identity.worker), Claims(job.folder, identity, watch)
    rng = random.Random(os.getpid())
    with Presence(job.folder, identity, ["sleep"], grid_of(job.plan.cells)) as presence, closing(claims):
        watch.sweep()
        queue = Work(job, store, claims, watch)
        with closing(queue.groups(lambda ids: presence.doing(ids, "sleep"))) as groups:
            while True:
                asked, asked_cpu = time.perf_counter(), time.process_time()
                group = next(groups, None)
                if group is None:
                    break
                ids = [resolved.cell.id for resolved in group.cells]
                now = time.perf_counter()
                diary.note("began", len(ids), now - asked, time.process_time() - asked_cpu, now - begun, *ids)
                time.sleep(rng.expovariate(1 / train_ms) / 1000 * len(ids))
                wrote, wrote_cpu = time.perf_counter(), time.process_time()
                for resolved in group.cells:
                    files = {"predictions.parquet": filler(PREDICTIONS)} if resolved.cell.stage == "score" else {}
                    if tensors and files:
                        files["tuned.safetensors"] = filler(TENSORS)
                    store.write(record_of(resolved), files)
                diary.note("wrote", len(ids), time.perf_counter() - wrote, time.process_time() - wrote_cpu, 0)
    diary.note("ended", 0, 0, time.process_time(), 0)


def fork(job: Job, arguments: argparse.Namespace, diaries: Path) -> int:
    """A new worker's process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        work(job, arguments.train_ms, arguments.tensors, Diary(diaries / str(os.getpid())))
        code = 0
    except Exception as error:
        print(f"a worker broke: {error!r}", file=sys.stderr)
    finally:
        os._exit(code)


@contextmanager
def folder_of(arguments: argparse.Namespace) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="scale-out-", dir=arguments.folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(job: Job, arguments: argparse.Namespace, diaries: Path) -> tuple[float, int]:
    """Let the workers work, and kill some; seconds it took, and kills."""
    rng, begun = random.Random(arguments.seed), time.perf_counter()
    total = len(job.plan.cells) + len(job.plan.trials)
    living = {fork(job, arguments, diaries) for _ in range(arguments.workers)}
    killed: set[int] = set()
    cells = job.folder / "cells"
    while living:
        done = len(os.listdir(cells)) if cells.exists() else 0
        if len(killed) < min(arguments.kills, arguments.kills * done // (total * 9 // 10 + 1)):
            victim = rng.choice(sorted(living))
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
        else:
            time.sleep(0.02)
        while living:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                break
            living.discard(child)
            if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
                living.add(fork(job, arguments, diaries))
            elif status:
                raise SystemExit(f"a worker ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begun, len(killed)


def print_costs(diaries: Path, seconds: float, num_workers: int, num_cells: int) -> None:
    lines = [line.split() for path in diaries.iterdir() for line in path.read_text().splitlines()]
    trained = Counter(cell_id for line in lines if line[0] == "began" for cell_id in line[5:])
    again = sum(trained.values()) - len(trained)
    print(f"{num_cells} cells in {seconds:.1f} s by {num_workers} workers: {num_cells / seconds:.1f} cells/s")
    for word, what in (("began", "claiming, letting go and looking"), ("wrote", "writing")):
        of_word = [line for line in lines if line[0] == word]
        cells = sum(int(line[1]) for line in of_word)
        clock, cpu = (sum(float(line[at]) for line in of_word) for at in (2, 3))
        print(f"  {what}: {1e3 * clock / cells:.2f} ms a cell, {1e3 * cpu / cells:.2f} ms of a processor")
    first = [next((float(line[4]) for line in map(str.split, path.read_text().splitlines()) if line[0] == "began"), 0.0)
             for path in diaries.iterdir()]  # fmt: skip
    print(f"  from a worker's start to its first group: {1e3 * sum(first) / len(first):.0f} ms on average")
    print(f"  trained again: {again} cells")


def print_whole(job: Job, store: Store) -> None:
    """Whether every cell is there, whole and once, and what is left beside the cells."""
    wanted = {cell.id for cell in job.plan.trials} | {cell.id for cell in job.plan.cells if not cell.tried}
    done = store.done()
    records = store.records_of(sorted(done))
    broken = [cell_id for cell_id, record in records.items() if record.status != "done" or record.id != cell_id]
    failed = list(store.path.glob("failed/*.json"))
    size = sum(path.stat().st_size for path in store.path.glob("cells/*/record.json")) / max(1, len(done))
    print(
        f"finished: {len(done)}, lost: {len(wanted - done) - len(failed)}, not whole: {len(broken)}, given up: ", end=""
    )
    print(f"{len(failed)}, half a cell's folder: {len(store.half_written())}; record.json has {size:.0f} bytes")
    for when in ("left behind", "and after one sweep"):
        left = [len(list(store.path.glob(place))) for place in ("claims/[!.]*", "claims/.*", "workers/*", ".partial/*")]
        print(f"{when}: {left[0]} claims, {left[1]} texts of claims, {left[2]} workers' files, {left[3]} places aside")
        Watch(store.path).sweep()


def timed(what: Callable[[], object]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    what()
    return 1e3 * (time.perf_counter() - begun)


def print_looks(job: Job, store: Store, num_claims: int) -> None:
    """What a look costs beside so many finished cells."""
    me = new_identity(job.run)
    claims = Claims(store.path, me, Watch(store.path))
    done = store.done()
    first = Work(job, store, claims, Watch(store.path))
    costs = {
        "a worker's first look takes": lambda: first._look(),
        "of which resolving": lambda: [resolve(cell) for cell in job.plan.cells],
        "and listing what is finished": store.done,
        "a later look takes": lambda: first._look(),
        "of which listing": lambda: store.done(done),
    }
    print(
        f"beside {len(done)} finished cells", ", ".join(f"{name} {timed(cost):.0f} ms" for name, cost in costs.items())
    )
    claims.take([f"x{number}" for number in range(num_claims)])
    print(f"to list {num_claims} claims {timed(claims.held):.1f} ms")
    claims.close()


def main() -> None:
    arguments = read_arguments()
    with folder_of(arguments) as folder:
        whole = make_plan(arguments.cells, arguments.trials)
        store, diaries = Store.create(folder / "out"), folder / "diaries"
        diaries.mkdir()
        store.write_plan([*whole.trials, *whole.cells])
        job = Job(whole, store.path, new_identity().worker, arguments.lanes, workers=arguments.workers)
        seconds, kills = run(job, arguments, diaries)
        print_costs(diaries, seconds, arguments.workers, len(whole.cells) + len(whole.trials))
        print(f"killed: {kills} workers")
        print_whole(job, store)
        print_looks(job, store, arguments.workers * arguments.lanes)
        assert "torch" not in sys.modules


if __name__ == "__main__":
    main()
