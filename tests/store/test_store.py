"""The store: finished cells are whole, failures are tried again, ids say what a number depends on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cell import Budget, Cell
from bench.errors import DiskError, UsageError
from bench.store.record import CurvePoint, Record
from bench.store.store import Store
from bench.store.workers import Presence, Watch, new_identity
from tests.store.edited import edit, edited


def make_cell(seed: int = 0, **changes: Any) -> Cell:
    fields: dict[str, Any] = {
        "suite": "superglue", "task": "rte", "task_version": 1, "data_fingerprint": "d", "model": "small",
        "model_fingerprint": "m", "method": "ptv2", "settings": {"length": 20, "learning_rate": 5e-3}, "seed": seed,
        "budget": Budget(), "protocol": "holdout", "precision": "fp32",
    }  # fmt: skip
    return Cell(**(fields | changes))


def make_record(cell: Cell, **changes: Any) -> Record:
    fields = {"id": cell.id, "cell": cell, "status": "done", "main_metric": "accuracy", "scores": {"accuracy": 50.0}}
    return Record(**(fields | changes))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "results")


def test_a_record_reads_back_as_it_was_written(store: Store) -> None:
    record = make_record(make_cell(), curve=[CurvePoint(step=1, epoch=0.1, train_loss=0.7, scores={"accuracy": 1 / 3})])
    store.write(record)
    assert store.records() == [record]
    assert store.record(record.id) == record


def test_a_finished_cell_is_a_folder_with_its_files(store: Store) -> None:
    record = make_record(make_cell())
    store.write(record, {"predictions.parquet": lambda path: path.write_bytes(b"rows") and None})
    assert sorted(path.name for path in store.cell_folder(record.id).iterdir()) == [
        "predictions.parquet",
        "record.json",
    ]
    assert list((store.path / ".partial").iterdir()) == []


def test_missing_keeps_the_order_and_leaves_out_what_is_done(store: Store) -> None:
    cells = [make_cell(seed) for seed in range(4)]
    store.write(make_record(cells[1]))
    store.write(make_record(cells[2], status="diverged", reason="the loss was nan"))
    assert store.missing(cells) == [cells[0], cells[2], cells[3]]


def test_a_success_replaces_the_failure(store: Store) -> None:
    cell = make_cell()
    store.write(make_record(cell, status="failed", reason="OutOfMemoryError: …", scores={}))
    assert [record.status for record in store.records()] == ["failed"]
    store.write(make_record(cell))
    assert [record.status for record in store.records()] == ["done"]
    assert list((store.path / "failed").iterdir()) == []


def test_a_kill_between_success_and_the_failures_removal_leaves_one_record(store: Store) -> None:
    cell = make_cell()
    store.write(make_record(cell))
    store.write(make_record(cell, status="failed", reason="older", scores={}))
    assert [record.status for record in store.records()] == ["done"]
    assert store.record(cell.id).status == "done"


def test_a_writer_that_breaks_leaves_no_trace(store: Store) -> None:
    def broken(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        store.write(make_record(make_cell()), {"predictions.parquet": broken})
    assert store.done() == set()
    assert list((store.path / ".partial").iterdir()) == []


def test_what_is_swept_while_it_is_written_is_written_once_more(store: Store) -> None:
    """Its machine slept, and to others it seemed to have ended; the sweeper may have come anywhere amid it."""
    record, sweeps = make_record(make_cell()), [1, 1]

    def swept(path: Path) -> None:
        path.write_bytes(b"rows")
        if sweeps:
            sweeps.pop()
            shutil.rmtree(store.aside)

    with pytest.raises(DiskError, match="No such file or directory"):  # each time
        store.write(record, {"predictions.parquet": swept})
    sweeps.append(1)
    store.write(record, {"predictions.parquet": swept})
    assert (store.cell_folder(record.id) / "predictions.parquet").read_bytes() == b"rows"
    assert store.records() == [record]
    assert list((store.path / ".partial").iterdir()) == []


def test_a_disk_that_is_closed_to_us_is_named(store: Store) -> None:
    def closed(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(DiskError, match=r"cannot use .*results: Permission denied; choose another --out"):
        store.write(make_record(make_cell()), {"predictions.parquet": closed})


def test_a_cell_without_its_record_runs_again(store: Store) -> None:
    record = make_record(make_cell())
    store.write(record)
    (store.cell_folder(record.id) / "record.json").write_text("{")
    with pytest.raises(UsageError, match=r"record\.json is not readable as JSON .* run the grid again"):
        store.records()
    (store.cell_folder(record.id) / "record.json").unlink()
    assert store.missing([record.cell]) == [record.cell]
    store.write(record)
    assert store.records() == [record]


def test_a_record_of_another_schema_is_named(store: Store) -> None:
    record = make_record(make_cell())
    store.write(record)
    path = store.cell_folder(record.id) / "record.json"
    path.write_text(edited(path.read_text()).replace('"main_metric"', '"mean_metric"'))
    with pytest.raises(UsageError, match=r"record\.json is not what was written: its checksum is another one"):
        store.records()
    edit(path)
    with pytest.raises(UsageError, match=r"record\.json does not fit this version's schema \(main_metric"):
        store.records()


def test_a_spoiled_plan_is_named(store: Store) -> None:
    store.write_plan([make_cell()])
    (plan,) = (store.path / "plans").iterdir()
    plan.write_text("[")
    with pytest.raises(UsageError, match="is not readable as JSON"):
        store.planned()


def test_the_same_grid_twice_is_one_plan(store: Store) -> None:
    cells = [make_cell(seed) for seed in range(3)]
    store.write_plan(cells)
    store.write_plan(cells)
    store.write_plan(cells[:1])
    assert len(list((store.path / "plans").iterdir())) == 2
    assert store.planned() == cells


def test_a_record_is_found_by_how_its_id_begins(store: Store) -> None:
    cells = [make_cell(seed) for seed in range(40)]
    for cell in cells:
        store.write(make_record(cell))
    assert store.record(cells[7].id[:10]).cell == cells[7]
    with pytest.raises(UsageError, match=r"no cell in .* has an id starting with 'xyz'"):
        store.record("xyz")
    with pytest.raises(UsageError, match=r"40 cells in .* have an id starting with '': [0-9a-f]{16}, "):
        store.record("")
    with pytest.raises(UsageError, match="no cell in"):
        store.record("*")


# --- making and holding a folder


def test_create_makes_the_folder_and_opens_it_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    Store.create(path).write(make_record(make_cell()))
    assert len(Store.create(path).records()) == 1


def test_find_makes_nothing(tmp_path: Path) -> None:
    assert Store.find(tmp_path / "results") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [".lock", ".store.json.4711"])
def test_a_folder_whose_first_run_was_killed_at_once_is_no_obstacle(tmp_path: Path, left: str) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / left).touch()
    assert Store.create(tmp_path / "results").records() == []


def test_two_writers_of_a_cell_leave_the_one_that_was_first(store: Store) -> None:
    """Each thought that the other was gone."""
    first, second = (make_record(make_cell(), scores={"accuracy": score}) for score in (40.0, 60.0))
    other = Store(store.path)

    def overtake(path: Path) -> None:
        path.write_bytes(b"slow")
        other.write(first, {"predictions.parquet": lambda path: path.write_bytes(b"fast") and None})

    store.write(second, {"predictions.parquet": overtake})
    assert [record.scores for record in store.records()] == [{"accuracy": 40.0}]
    assert (store.cell_folder(first.id) / "predictions.parquet").read_bytes() == b"fast"
    assert list((store.path / ".partial").iterdir()) == []


def test_what_is_done_is_listed_anew_and_what_is_known_is_not_read_again(store: Store) -> None:
    records = [make_record(make_cell(seed)) for seed in range(3)]
    for record in records[:2]:
        store.write(record)
    known = store.done()
    assert known == {record.id for record in records[:2]}
    store.write(records[2])
    (store.cell_folder(records[0].id) / "record.json").unlink()
    assert store.done() == {record.id for record in records[1:]}
    assert store.done(known) == {record.id for record in records}
    shutil.rmtree(store.cell_folder(records[1].id))
    assert store.done(known) == {records[0].id, records[2].id}
    assert [store.is_done(record.id) for record in records] == [False, False, True]


def test_another_failure_of_a_cell_has_another_mark(store: Store) -> None:
    cell = make_cell()
    assert (store.failure(cell.id), store.failures()) == (None, {})
    marks = []
    for reason in ("once", "more"):
        store.write(make_record(cell, status="failed", reason=reason))
        marks.append(store.failure(cell.id))
        assert store.failures() == {cell.id: marks[-1]}
    assert len(set(marks)) == 2
    store.write(make_record(cell))
    assert store.failure(cell.id) is None


# --- ids

CHANGES: dict[str, dict[str, Any]] = {
    "a setting": {"settings": {"length": 21, "learning_rate": 5e-3}},
    "seed": {"seed": 1},
    "budget": {"budget": Budget(epochs=11)},
    "protocol": {"protocol": "paper"},
    "precision": {"precision": "bf16"},
    "data": {"data_fingerprint": "other"},
    "model": {"model_fingerprint": "other"},
    "task": {"task": "cb"},
    "task version": {"task_version": 2},
    "method": {"method": "ptuning_v1"},
    "results version": {"results_version": 99},
    "stage": {"stage": "trial"},
    "number of trials": {"trials": 4},
    "seed of a single stream": {"streams": {"init": 1}},
}
PLACES: dict[str, dict[str, Any]] = {
    "order of settings": {"settings": {"learning_rate": 5e-3, "length": 20}},
    "how settings were given": {"given": {"length": 20}},
    "which trials were tried": {"tried": ("0123",), "drawn": {"length": 20}},
    "place of the data": {"data_path": "elsewhere"},
    "place of the model": {"model_path": "elsewhere", "model": "renamed"},
    "the suite that lists the task": {"suite": "other"},
    "the revision, whose hash is in the fingerprint": {"data_revision": "0123"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_can_change_a_number_changes_the_id(change: dict[str, Any]) -> None:
    assert make_cell(**change).id != make_cell().id


@pytest.mark.parametrize("change", PLACES.values(), ids=PLACES)
def test_where_things_lie_does_not_change_the_id(change: dict[str, Any]) -> None:
    assert make_cell(**change).id == make_cell().id


def test_ids_stay_what_they_are() -> None:
    """A change here makes every stored record a miss: raise RESULTS_VERSION on purpose, not by accident."""
    assert make_cell().id == "c30b225f3d0cf248"


# --- kill -9

IMPORTS = """
from pathlib import Path
sys.path.insert(0, "tests/store")
from test_store import write_many
assert "torch" not in sys.modules
"""
FILES = {"a": 100_000, "b": 50_000}


def write_many(folder: Path, num_cells: int) -> None:
    """What a run does to its store, without the training: every third cell fails once before it succeeds."""
    cells = [make_cell(seed) for seed in range(num_cells)]
    me = new_identity()
    store = Store(Store.create(folder).path, me.worker)
    with Presence(folder, me, ["cpu"], {}):
        Watch(folder).sweep()
        store.write_plan(cells)
        for cell in store.missing(cells):
            if cell.seed % 3 == 0:
                store.write(make_record(cell, status="failed", reason="once"))
            files = {name: _filler(size) for name, size in FILES.items()}
            store.write(make_record(cell), files)


def _filler(size: int) -> Callable[[Path], None]:
    def fill(path: Path) -> None:
        path.write_bytes(b"x" * size)

    return fill


def _whole(store: Store) -> dict[str, tuple[str, int]]:
    """Every finished cell: (record.json's text, its time of writing); fails when one is not whole."""
    found = {}
    for cell_id in store.done():
        folder = store.cell_folder(cell_id)
        assert store.record(cell_id).status == "done"
        assert {name: (folder / name).stat().st_size for name in FILES} == FILES
        found[cell_id] = ((folder / "record.json").read_text(), (folder / "record.json").stat().st_mtime_ns)
    return found


def test_kill_at_any_moment_of_writing_loses_nothing(tmp_path: Path, forks: Callable[..., Any]) -> None:
    rng, store, before = random.Random(0), Store(tmp_path / "results"), dict[str, tuple[str, int]]()
    writers = forks(IMPORTS, "write_many(Path(sys.argv[1]), int(sys.argv[2]))", store.path, 400)
    for turn in range(24):
        child = writers.start()
        late = time.monotonic() + 60
        while turn % 2 and len(store.done()) < len(before) + 2:
            assert time.monotonic() < late, "the writer does not get on"
            time.sleep(0.001)  # half of the kills wait for the run to get on, the others come at any moment
        time.sleep(rng.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        assert writers.end() == -signal.SIGKILL
        now = _whole(store)
        assert {cell_id: now.get(cell_id) for cell_id in before} == before
        before = now
    assert len(before) >= 24
    write_many(store.path, len(before) + 5)
    assert len(_whole(store)) == len(before) + 5
    assert {record.status for record in store.records()} == {"done"}
    assert [path.name for path in store.path.rglob(".*")] == [".partial"]
    assert [*store.path.glob(".partial/*"), *store.path.glob("workers/*")] == []
