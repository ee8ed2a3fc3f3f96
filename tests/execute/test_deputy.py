"""A worker that cannot reach the results folder: what it measures comes into it whole, and its death costs no cell."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path

import pytest
import torch

from bench.cell import Cell
from bench.errors import UsageError
from bench.execute import outpost as outpost_module
from bench.execute import parcel
from bench.execute.outpost import Outpost
from bench.execute.worker import Seat, work
from bench.resolved import resolve
from bench.store.claims import MOST_DEATHS
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Watch, workers_of
from tests.conftest import Quiet, Workshop
from tests.execute.far_worker import deputy_of, job_of, measure, outpost_of, words_of

FILES = ("predictions.parquet", "tuned.safetensors")
OWN = {"costs", "provenance", "started", "finished", "sha256"}  # of where and when it was measured


def numbers(folder: Path) -> dict[str, object]:
    """All that a results folder says but the time it took: records, bytes of files, scored texts."""
    said: dict[str, object] = {}
    for path in sorted(folder.glob("cells/*/record.json")):
        record = json.loads(path.read_text())
        files = [(path.parent / name).read_bytes() for name in FILES]
        said[path.parent.name] = ({name: record[name] for name in record.keys() - OWN}, files)
    return said | {path.name: path.read_bytes() for path in folder.glob("examples/*")}


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker takes its process for itself."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)


@pytest.fixture
def cells(workshop: Workshop) -> tuple[Cell, ...]:
    return workshop.cells("ptv2", "finetune", seeds=(0, 1))


def is_empty(folder: Path) -> bool:
    """Whether nobody holds anything in a results folder."""
    return not [path for name in ("claims", "workers", ".partial") for path in folder.glob(f"{name}/*")]


def test_what_comes_back_is_what_a_worker_at_the_folder_writes(
    cells: tuple[Cell, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = job_of(tmp_path / "near", cells), job_of(tmp_path / "far", cells)
    work(near, Seat((torch.device("cpu"),)), Quiet())
    for module in (parcel, outpost_module):
        monkeypatch.setattr(module, "PIECE", 1000)  # bytes: every file comes in several pieces
    deputy = deputy_of(far)
    records = measure(deputy, outpost_of(far))
    assert deputy.is_over
    deputy.close()
    assert {record.id for record in records} == {cell.id for cell in cells}
    assert numbers(far.folder) == numbers(near.folder)
    assert len(numbers(far.folder)) == len(cells) + 1
    assert is_empty(far.folder)


def test_a_worker_is_seen_where_it_runs(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    job = job_of(tmp_path / "out", cells)
    deputy = deputy_of(job, host="far-away")
    group = deputy.next()
    assert group is not None
    (worker,) = workers_of(job.folder)
    assert (worker.identity.host, worker.devices) == ("far-away", ("cpu",))
    assert [doing.cells for doing in worker.doing] == [tuple(resolved.cell.id for resolved in group.cells)]
    deputy.close()
    assert is_empty(job.folder)


def test_half_of_what_a_dead_worker_sent_is_nowhere(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    job = job_of(tmp_path / "out", cells[:1])
    watch = Watch(job.folder)
    deputy = deputy_of(job, watch)
    assert measure(deputy, outpost_of(job), until=lambda word: word[0] == "finished") == []
    assert list(job.folder.glob(".partial/*/incoming/*/*"))  # its files have come, its record has not
    deputy.die("killed")
    assert Store(job.folder).done() == set()
    assert list(job.folder.glob(".partial/*")) == []
    heir = deputy_of(job, watch)
    assert [record.status for record in measure(heir, outpost_of(job))] == ["done"]
    heir.close()
    assert is_empty(job.folder)


def test_a_cell_that_ends_every_worker_fails_with_the_reason(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    job = job_of(tmp_path / "out", cells[:1])
    watch = Watch(job.folder)
    for _ in range(MOST_DEATHS):
        deputy = deputy_of(job, watch)
        assert deputy.next() is not None
        deputy.die("the node has no memory left")
    last = deputy_of(job, watch)
    assert (last.next(), last.is_over) == (None, True)
    last.close()
    (record,) = Store(job.folder).records()
    assert (record.status, record.reason) == (
        "failed", "3 workers ended while they trained it, the last on far: the node has no memory left"
    )  # fmt: skip
    assert is_empty(job.folder)


def test_what_a_dead_worker_held_is_for_those_who_live(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    job = job_of(tmp_path / "out", cells)
    watch = Watch(job.folder)
    first, second = deputy_of(job, watch), deputy_of(job, watch)
    held = [resolved.cell.id for group in (first.next(), second.next()) if group for resolved in group.cells]
    assert len(held) == len(set(held))
    first.die("lost")
    second.close()  # sent away: what it held counts no death
    heir = deputy_of(job, watch)
    assert {record.id for record in measure(heir, outpost_of(job))} == {cell.id for cell in cells}
    heir.close()
    assert is_empty(job.folder)


def test_a_cell_finished_meanwhile_stays_as_it_is(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    job = job_of(tmp_path / "out", cells[:1])
    deputy = deputy_of(job)
    group = deputy.next()
    assert group is not None
    outpost = outpost_of(job)
    words = words_of(outpost, [cells[0]])
    (record,) = [content for word, content in words if word == "finished"]
    earlier = Record.model_validate(record.model_dump() | {"finished": "2001-01-01T00:00:00+00:00"})
    Store(job.folder).write(earlier)
    for word in words:
        deputy.hear(*word)
    deputy.close()
    assert Store(job.folder).record(record.id).finished == earlier.finished
    assert not (job.folder / "cells" / record.id / "predictions.parquet").exists()


def failures(outpost: Outpost, cells: list[Cell]) -> list[str | None]:
    return [content.reason for word, content in words_of(outpost, cells) if word == "finished"]


def test_a_folder_that_is_not_there_fails_the_cells_and_names_the_machine(
    cells: tuple[Cell, ...], tmp_path: Path
) -> None:
    outpost = outpost_of(job_of(tmp_path / "out", cells))
    elsewhere = [cell.changed(model_path="/nowhere/model") for cell in cells[:2]]
    reasons = failures(outpost, elsewhere)
    assert len(reasons) == 2
    assert all(
        str(reason).startswith("UsageError: on far: --models /nowhere/model: no such folder") for reason in reasons
    )
    (reason,) = failures(outpost, [cells[0].changed(data_path="/nowhere/data")])
    assert str(reason).startswith("UsageError: on far: ")
    assert "/nowhere/data" in str(reason)
    assert failures(outpost, [cells[0]]) == [None]  # and it goes on


def test_another_model_or_other_data_under_the_same_path_is_refused(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    outpost = outpost_of(job_of(tmp_path / "out", cells))
    for change, what in (
        ({"model_fingerprint": "0" * 16}, f"model {cells[0].model_path}"),
        ({"data_fingerprint": "0" * 16}, "the data of task rte"),
        ({"task_version": 99}, "the declaration of task rte"),
    ):
        (reason,) = failures(outpost, [cells[0].changed(**change)])
        assert str(reason).startswith(f"UsageError: on far: {what} is not the one of the plan (")


PLUGIN = """
from bench.methods.linear_probe import LinearProbe
from bench.registry import method

@method("far_probe")
class FarProbe(LinearProbe):
    pass
"""


def test_a_plugin_comes_along(workshop: Workshop, tmp_path: Path, bench: object) -> None:
    away = tmp_path / "elsewhere.py"  # where it lay on the other machine
    outpost = outpost_of(job_of(tmp_path / "out", ()), {away: PLUGIN})
    (cell,) = workshop.cells("far_probe")
    assert failures(outpost, [cell]) == [None]
    assert not away.exists()
    with pytest.raises(UsageError, match="two methods are called"):
        outpost_of(job_of(tmp_path / "again", ()), {tmp_path / "other.py": PLUGIN})
    assert resolve(cell).method.name == "far_probe"


def test_a_worker_whose_disk_is_full_breaks_and_fails_no_cell(
    cells: tuple[Cell, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outpost = outpost_of(job_of(tmp_path / "out", cells))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.runner.write_predictions", full)
    words = words_of(outpost, [cells[0]])
    assert [word for word, _ in words if word in ("broke", "finished", "over")] == ["broke", "over"]
    shutil.rmtree(tmp_path / "out")
