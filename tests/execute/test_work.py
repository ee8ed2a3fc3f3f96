"""The queue of a job: who gets what, what happens to what the dead held, when it is over. Nothing is trained here."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cell import Plan
from bench.errors import DiskError
from bench.plan.cost import Costs
from bench.resolved import resolve
from bench.store.workers import Presence, new_identity
from tests.execute.seat import Seat, make_plan, no_pause, standing
from tests.store.conftest import ROOT, Process, clock, process, show

__all__ = ["clock", "no_pause", "process"]
Start = Callable[..., Process]
Killing = Callable[[Plan, str, int], list[list[int]]]


# --- who gets what


def test_every_cell_comes_once_and_no_claim_is_left(tmp_path: Path) -> None:
    of = make_plan(methods="ptv2,finetune,linear_probe", seeds=5)
    seat = Seat(tmp_path, of)
    done = seat.do_all()
    assert sorted(cell.id for group in done for cell in group) == sorted(cell.id for cell in of.cells)
    assert standing(tmp_path) == []
    assert Seat(tmp_path, of).do_all() == []


def test_cells_that_are_alike_are_shared_out_among_the_workers(tmp_path: Path) -> None:
    of = make_plan(seeds=20)
    first, second = (Seat(tmp_path, of, workers=2, max_lanes=32) for _ in range(2))
    groups = first.next(), second.next()
    assert [len(group) for group in groups] == [10, 10]
    assert {cell.id for group in groups for cell in group} == {cell.id for cell in of.cells}


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_a_group_has_no_more_cells_than_lanes(tmp_path: Path, lanes: int) -> None:
    sizes = [len(group) for group in Seat(tmp_path, make_plan(seeds=8), max_lanes=lanes).do_all()]
    assert sizes == [lanes] * (8 // lanes) + [8 % lanes] * (8 % lanes > 0)


def test_a_worker_that_is_seen_to_be_there_counts_though_nobody_announced_it(tmp_path: Path, process: Start) -> None:
    show(tmp_path / "out", process().identity)
    (tmp_path / "out" / "store.json").write_text('{"format": 3}')
    seat = Seat(tmp_path / "out", make_plan(seeds=8))
    with Presence(tmp_path / "out", seat.me, ["cpu"], {}):
        assert len(seat.next()) == 4


def test_the_longest_come_first_but_for_the_model_that_is_loaded(tmp_path: Path) -> None:
    of = make_plan(models="tiny,small", methods="ptv2,finetune", seeds=1)
    order = [(cell.model, cell.method) for (cell,) in Seat(tmp_path, of).do_all()]
    assert order == [("small", "finetune"), ("small", "ptv2"), ("tiny", "finetune"), ("tiny", "ptv2")]


def test_the_reference_comes_before_what_takes_longer_so_that_an_interrupted_run_can_be_read(tmp_path: Path) -> None:
    of = make_plan(methods="ptv2,autoprompt,finetune", seeds=2)
    work = [resolve(cell) for cell in of.cells]
    costs = {resolved.cell.method: Costs().of(resolved) for resolved in work}
    assert costs["autoprompt"] > costs["finetune"]
    methods = [cell.method for group in Seat(tmp_path, of).do_all() for cell in group]
    assert methods[:2] == ["finetune", "finetune"]
    assert sorted(methods[2:]) == ["autoprompt"] * 2 + ["ptv2"] * 2


def test_a_run_that_ends_after_its_first_group_has_cells_of_the_reference(tmp_path: Path) -> None:
    of = make_plan(methods="ptv2,linear_probe,finetune", seeds=2)
    first = Seat(tmp_path, of).next()
    assert [(cell.method, cell.seed) for cell in first] == [("finetune", 0)]


def test_while_one_holds_a_cell_another_gets_others_and_leaves_when_there_are_none(tmp_path: Path) -> None:
    of = make_plan(methods="finetune", seeds=3)
    seats = [Seat(tmp_path, of, workers=4) for _ in range(4)]
    held = [seat.next() for seat in seats[:3]]
    assert {len(group) for group in held} == {1}
    assert len({group[0].id for group in held}) == 3
    with pytest.raises(StopIteration):
        seats[3].next()


def test_what_another_finished_meanwhile_is_not_given_out(tmp_path: Path) -> None:
    """Also when this worker's last look at what is finished is older than that."""
    of = make_plan(methods="finetune", seeds=4)
    slow, fast = Seat(tmp_path, of), Seat(tmp_path, of)
    (own,) = slow.next()
    fast.do_all()
    slow.write(own)
    with pytest.raises(StopIteration):
        slow.next()
    assert standing(tmp_path) == []


def test_a_queue_loads_no_torch() -> None:
    code = "import sys, bench.execute.work; assert not {'torch', 'transformers'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# --- interrupted, killed


def test_what_is_interrupted_is_free_again_at_once(tmp_path: Path) -> None:
    of = make_plan(seeds=4)
    seat = Seat(tmp_path, of)
    cells = seat.next()
    seat.write(cells[0])
    seat.groups.close()
    assert standing(tmp_path) == []
    assert [cell.seed for (cell, *others) in [Seat(tmp_path, of).next()] for cell in (cell, *others)] == [1, 2, 3]


def test_what_a_dead_worker_held_is_taken_by_one_that_waits_for_it(
    tmp_path: Path, process: Start, no_pause: list[Callable[[], object]]
) -> None:
    of, child = make_plan(seeds=4), process("other")
    other = Seat(tmp_path, of, child.identity)
    show(tmp_path, child.identity)
    taken = other.next()
    other.write(taken[2])
    seat = Seat(tmp_path, of, wait=True)
    no_pause += [lambda: None, child.kill]
    (group,) = seat.do_all()
    assert [cell.seed for cell in group] == [0, 1, 3]
    assert standing(tmp_path) == []
    assert list((tmp_path / "workers").iterdir()) == []  # who takes over clears up


def test_one_that_waits_ends_when_others_have_finished(tmp_path: Path, no_pause: list[Callable[[], object]]) -> None:
    of = make_plan(seeds=2)
    other, seat = Seat(tmp_path, of), Seat(tmp_path, of, wait=True)
    cells = other.next()
    no_pause += [lambda: other.write(cells[0]), lambda: other.write(cells[1])]
    assert seat.do_all() == []
    assert no_pause == []


def test_a_claim_on_a_cell_whose_owner_died_after_it_was_finished_is_forgotten(tmp_path: Path, process: Start) -> None:
    of, child = make_plan(methods="finetune", seeds=2), process("other")
    other = Seat(tmp_path, of, child.identity)
    other.write(other.next()[0])
    child.kill()
    assert len(Seat(tmp_path, of).do_all()) == 1
    assert standing(tmp_path) == []


@pytest.fixture
def kill_owners(tmp_path: Path, process: Start) -> Killing:
    """Workers of a run, one after another, that take a group and are killed; the seeds that each had."""
    seats: list[Seat] = []  # one that is forgotten would let go

    def kill(of: Plan, run: str, number: int) -> list[list[int]]:
        had = []
        for _ in range(number):
            child = process(run)
            seats.append(Seat(tmp_path, of, child.identity))
            had.append([cell.seed for cell in seats[-1].next()])
            child.kill()
        return had

    return kill


def test_a_cell_that_brings_down_three_workers_fails_and_a_later_run_tries_it_again(
    tmp_path: Path, kill_owners: Killing
) -> None:
    of = make_plan(seeds=1)
    assert kill_owners(of, "mine", 3) == [[0]] * 3
    seat = Seat(tmp_path, of)
    assert seat.do_all() == []
    assert seat.work.is_over
    (record,) = seat.store.records()
    assert (record.id, record.status, seat.given_up) == (of.cells[0].id, "failed", [record])
    assert record.reason == (
        f"3 workers ended while they trained it, the last on {seat.me.host}: killed, out of memory, or a driver's error"
    )
    assert standing(tmp_path) == []
    later = Seat(tmp_path, of, new_identity("later"))
    assert [cell.seed for group in later.do_all() for cell in group] == [0]
    assert [record.status for record in later.store.records()] == ["done"]


def test_deaths_of_an_earlier_run_do_not_count(tmp_path: Path, kill_owners: Killing) -> None:
    of = make_plan(seeds=1)
    kill_owners(of, "earlier", 2)
    kill_owners(of, "mine", 2)
    assert [len(group) for group in Seat(tmp_path, of).do_all()] == [1]
    assert standing(tmp_path) == []


def test_what_has_brought_down_two_is_tried_alone_so_that_only_the_culprit_fails(
    tmp_path: Path, kill_owners: Killing
) -> None:
    of = make_plan(seeds=3)
    assert kill_owners(of, "mine", 3) == [[0, 1, 2], [0, 1, 2], [0]]
    seat = Seat(tmp_path, of)
    assert [[cell.seed for cell in group] for group in seat.do_all()] == [[1], [2]]
    assert {record.cell.seed: record.status for record in seat.store.records()} == {0: "failed", 1: "done", 2: "done"}


def test_what_fails_is_tried_by_no_other_worker_of_this_time(tmp_path: Path) -> None:
    of = make_plan(methods="finetune", seeds=2)
    first, second = Seat(tmp_path, of), Seat(tmp_path, of)
    (failing,) = first.next()
    first.write(failing, status="failed", reason="no luck")
    assert [len(group) for group in first.do_all()] == [1]
    assert second.do_all() == []
    assert [cell.id for group in Seat(tmp_path, of).do_all() for cell in group] == [failing.id]  # next time


# --- disks


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_it_ends_with_a_line_and_what_was_held_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = make_plan(methods="finetune", seeds=2)
    seat = Seat(tmp_path, of)
    (cell,) = seat.next()
    with monkeypatch.context() as disk:
        disk.setattr("bench.store.store.write_text", no_space)
        with pytest.raises(DiskError, match="no space left on the disk of"):
            seat.write(cell)
        seat.groups.close()
    seat.claims.close()
    assert standing(tmp_path) == []
    assert len(Seat(tmp_path, of).do_all()) == 2


def test_a_folder_with_nothing_to_do_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = make_plan(seeds=2)
    Seat(tmp_path, of).do_all()
    seat = Seat(tmp_path, of)
    for name in ("link", "mkdir", "rename", "replace"):
        monkeypatch.setattr(os, name, lambda *_, **__: pytest.fail("written to"))
    assert seat.do_all() == []
