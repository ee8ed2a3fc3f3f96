"""How a folder stands, told by a reader that writes nothing: states of cells, and what a look can know of workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.cell import TRIAL_SEED, Cell
from bench.errors import UsageError
from bench.plan.remaining import TimeLeft, time_left
from bench.store.claims import Claims
from bench.store.record import Costs
from bench.store.signs import FRESH, Signs
from bench.store.standing import Observer, Standing
from bench.store.store import Store
from bench.store.workers import GONE, Identity, Presence, Watch, new_identity, worker_file
from tests.store.test_store import make_cell, make_record

NEVER = 1e6  # seconds between two beats: the file is written when the worker comes, and when it begins a group


def elsewhere(number: int = 0) -> Identity:
    """A process of another machine, whose number means nothing here."""
    return new_identity().model_copy(
        update={"machine": "another", "host": f"node{number}", "worker": f"node{number}-1"}
    )


@contextmanager
def at_work(store: Store, cells: list[Cell], who: Identity | None = None, beat: float = NEVER) -> Iterator[Presence]:
    """A worker of this process that has claimed cells and trains them."""
    who = who or new_identity()
    ids = [cell.id for cell in cells]
    with Presence(store.path, who, ["cuda:1"], {}, beat) as presence:
        claims = Claims(store.path, who, Watch(store.path))
        assert claims.take(ids) == ids
        with presence.doing(ids, "cuda:1"):
            yield presence
        claims.close()


def age(store: Store, who: Identity, seconds: float) -> None:
    """Let a worker's file seem to have been written so many seconds ago."""
    then = time.time() - seconds
    os.utime(worker_file(store.path, who.worker), (then, then))


def states(standing: Standing) -> dict[int, str]:
    return {cell.seed: standing.states[cell_id] for cell_id, cell in standing.cells.items()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "results")


def test_every_planned_cell_has_the_state_that_its_files_tell(store: Store) -> None:
    cells = [make_cell(seed) for seed in range(5)]
    store.write_plan(cells)
    store.write(make_record(cells[0]))
    store.write(make_record(cells[1], status="failed", reason="no luck", scores={}))
    store.write(make_record(cells[2], status="failed", reason="no luck then", scores={}))
    store.write(make_record(make_cell(99)))
    with at_work(store, cells[2:4]) as presence:
        presence.reached([cell.id for cell in cells[2:4]], step=30, num_steps=100, seconds_per_step=0.5)
        presence._write()
        standing = Observer(store).look()
        assert states(standing) == {0: "done", 1: "failed", 2: "running", 3: "running", 4: "to_run"}
        (piece,) = standing.pieces
        assert piece.doing is not None
        assert (list(piece.cells), piece.doing.device, piece.sign.state) == (cells[2:4], "cuda:1", "alive")
        assert piece.seconds_left == 35.0
        store.write(make_record(cells[2]))
        standing = Observer(store).look()
        assert (states(standing)[2], list(standing.pieces[0].cells)) == ("done", [cells[3]])
    standing = Observer(store).look()
    assert states(standing) == {0: "done", 1: "failed", 2: "done", 3: "to_run", 4: "to_run"}
    assert {cell_id: record.reason for cell_id, record in standing.failures.items()} == {cells[1].id: "no luck"}
    assert (standing.pieces, standing.workers, standing.others) == ([], [], 1)


def test_cells_wait_until_their_trials_are_over(store: Store) -> None:
    trials = [make_cell(TRIAL_SEED, stage="trial", settings={"length": at}, drawn={"length": at}) for at in range(3)]
    waiting = make_cell(0, trials=3, tried=tuple(trial.id for trial in trials))
    store.write_plan([*trials, waiting])
    observer = Observer(store)
    assert [*observer.look().states.values()] == ["to_run", "to_run", "to_run", "waiting"]
    store.write(make_record(trials[0], scores={}, selection_score=1.0))
    store.write(make_record(trials[1], status="diverged", reason="the loss was nan", scores={}))
    assert [*observer.look().states.values()] == ["done", "lost", "to_run", "waiting"]
    store.write(make_record(trials[2], status="failed", reason="no luck", scores={}))
    assert [*observer.look().states.values()] == ["done", "lost", "failed", "to_run"], "the next worker chooses"
    chosen = waiting.changed(settings=trials[0].settings, drawn=trials[0].drawn)
    store.write_plan([*trials, chosen])
    standing = observer.look()
    assert ([*standing.cells], [*standing.states.values()][-1]) == (
        [*(each.id for each in trials), chosen.id],
        "to_run",
    )


def test_cells_wait_for_trials_none_of_which_has_finished(store: Store) -> None:
    trial = make_cell(TRIAL_SEED, stage="trial", drawn={"length": 20})
    store.write_plan([trial, make_cell(0, trials=1, tried=(trial.id,))])
    store.write(make_record(trial, status="failed", reason="no luck", scores={}))
    assert [*Observer(store).look().states.values()] == ["failed", "waiting"]


KILLED = """
import os, signal, sys
from pathlib import Path
from bench.store.claims import Claims
from bench.store.workers import Presence, Watch, new_identity
folder, me = Path(sys.argv[1]), new_identity()
Presence(folder, me, ["cpu"], {}).__enter__()
assert Claims(folder, me, Watch(folder)).take(sys.argv[2:]) == sys.argv[2:]
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_of_this_machine_claimed_is_free_again_at_once(store: Store) -> None:
    cells = [make_cell(seed) for seed in range(3)]
    store.write_plan(cells)
    for ids in ([cells[0].id, cells[1].id], [cells[1].id]):
        done = subprocess.run([sys.executable, "-c", KILLED, store.path, *ids], check=False)
        assert done.returncode == -signal.SIGKILL
    standing = Observer(store).look()
    assert states(standing) == {0: "free", 1: "free", 2: "to_run"}
    assert standing.ended == {cells[0].id: 1, cells[1].id: 2}
    assert [sign.state for _, sign in standing.workers] == ["ended", "ended"]
    assert standing.pieces == []


def test_a_look_writes_nothing(store: Store) -> None:
    cells = [make_cell(seed) for seed in range(3)]
    store.write_plan(cells)
    store.write(make_record(cells[0]))
    subprocess.run([sys.executable, "-c", KILLED, store.path, cells[1].id], check=False)

    def everything() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in [store.path, *store.path.rglob("*")]}

    with at_work(store, cells[2:], elsewhere()):
        age(store, elsewhere(), 1000)
        before = everything()
        standing = Observer(store).look(patience=0)
        time_left(standing, store)
        assert everything() == before
    assert states(standing) == {0: "done", 1: "free", 2: "silent"}


# --- workers of other machines


def test_a_file_that_changes_is_a_sign_of_life_however_far_clocks_are_apart(store: Store) -> None:
    cells = [make_cell()]
    store.write_plan(cells)
    for seconds in (5000.0, -5000.0):
        with at_work(store, cells, elsewhere()) as presence:
            age(store, elsewhere(), seconds)
            observer = Observer(store)
            assert states(observer.look(patience=0)) == {0: "silent"}
            presence._write()
            age(store, elsewhere(), seconds - 5)
            standing = observer.look(patience=0)
            assert states(standing) == states(observer.look(patience=0)) == {0: "running"}
            assert standing.pieces[0].sign.age == 0.0


def test_a_look_waits_for_the_sign_of_a_worker_that_seems_silent(store: Store) -> None:
    cells = [make_cell()]
    store.write_plan(cells)
    with at_work(store, cells, elsewhere(), beat=0.3):
        age(store, elsewhere(), 1e9)
        assert states(Observer(store).look(patience=60)) == {0: "running"}


def test_a_file_just_written_is_believed_and_an_old_one_is_told_with_its_age(store: Store) -> None:
    cells = [make_cell(seed) for seed in range(2)]
    store.write_plan(cells)
    with at_work(store, cells[:1], elsewhere(0)), at_work(store, cells[1:], elsewhere(1)):
        age(store, elsewhere(0), 1)
        age(store, elsewhere(1), 1000)
        standing = Observer(store).look(patience=0)
        assert states(standing) == {0: "running", 1: "silent"}
        fresh, old = (piece.sign for piece in standing.pieces)
        assert fresh.age is not None
        assert old.age is not None
        assert fresh.age <= FRESH < 1000 <= old.age


def test_a_worker_without_a_file_and_one_from_the_future_have_no_age(store: Store) -> None:
    signs = Signs(store.path)
    with Presence(store.path, elsewhere(), ["cpu"], {}, NEVER):
        age(store, elsewhere(), -1000)
        found = signs.look([elsewhere(0), elsewhere(1)], patience=0)
    assert [(sign.state, sign.age) for sign in found.values()] == [("silent", None), ("silent", None)]


def test_who_is_silent_for_long_enough_has_ended_and_its_cells_are_free(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, now = [make_cell()], [0.0]
    store.write_plan(cells)
    with at_work(store, cells, elsewhere()):
        monkeypatch.setattr("bench.store.workers.time", SimpleNamespace(monotonic=lambda: now[0], time=time.time))
        age(store, elsewhere(), 1000)
        observer = Observer(store)
        assert states(observer.look(patience=0)) == {0: "silent"}
        for seconds in (GONE / 3, 2 * GONE / 3, GONE - 1):  # a look counts a third at most
            now[0] = seconds
            assert states(observer.look(patience=0)) == {0: "silent"}
        now[0] = GONE
        standing = observer.look(patience=0)
        assert (states(standing), standing.ended) == ({0: "free"}, {cells[0].id: 1})


def test_a_claim_that_is_being_written_is_somebodys(store: Store) -> None:
    cells = [make_cell()]
    store.write_plan(cells)
    (store.path / "claims").mkdir()
    (store.path / "claims" / f"{cells[0].id}.0").touch()
    standing = Observer(store).look(patience=0)
    assert (states(standing), standing.pieces[0].owner.host) == ({0: "silent"}, "")


# --- files that cannot be read, and the time left


def test_what_cannot_be_read_is_refused_or_left_out(store: Store) -> None:
    cell = make_cell()
    store.write_plan([cell])
    store.write(make_record(cell, status="failed", reason="no luck", scores={}))
    (store.path / "plans" / "broken.json").write_text("{")
    (store.path / "failed" / f"{cell.id}.json").write_text("[")
    with pytest.raises(UsageError, match=r"broken\.json is not readable"):
        Observer(store).look()
    told: list[UsageError] = []
    assert states(Observer(store, told.append).look()) == {0: "to_run"}
    assert len(told) == 2


def test_cells_take_what_those_most_like_them_took(store: Store) -> None:
    def cell(task: str, seed: int, method: str = "ptv2") -> Cell:
        return make_cell(seed, task=task, method=method)

    done = [(cell("rte", 0), 10.0), (cell("rte", 1), 30.0), (cell("rte", 2), 20.0), (cell("cb", 0), 5.0)]
    left = [cell("rte", 3), cell("boolq", 0)]
    store.write_plan([*(each for each, _ in done), *left])
    for each, seconds in done:
        store.write(make_record(each, costs=Costs(seconds=seconds)))
    look = Observer(store).look
    assert time_left(look(), store) == TimeLeft(20.0 + 15.0, 1, 0), "of the task, and of the method on any task"
    store.write_plan([cell("rte", 0, "finetune")])
    assert time_left(look(), store) == TimeLeft(35.0, 1, 1)
    with ExitStack() as workers:
        for number, each in enumerate(left):
            workers.enter_context(at_work(store, [each], elsewhere(number)))
        assert time_left(look(), store) == TimeLeft(17.5, 2, 1)


def test_no_group_ends_before_its_own_time(store: Store) -> None:
    cells = [make_cell(seed) for seed in range(2)]
    store.write_plan(cells)
    assert time_left(Observer(store).look(), store) is None
    with at_work(store, cells[:1]) as first, at_work(store, cells[1:]) as second:
        first.reached([cells[0].id], step=1, num_steps=101, seconds_per_step=2.0)
        second.reached([cells[1].id], step=1, num_steps=11, seconds_per_step=2.0)
        first._write()
        second._write()
        assert time_left(Observer(store).look(), store) == TimeLeft(200.0, 2, 0)
