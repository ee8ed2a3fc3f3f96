"""How the cells of one loop are divided among workers, of whose tasks one may take many times as long as another."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cell import Cell, Plan
from bench.execute.line import Line
from bench.plan.cost import Costs
from bench.plan.seen import seen
from bench.resolved import resolve
from bench.store.record import Costs as Spent
from bench.store.record import Counts, Record
from bench.train.groups import groups
from tests.execute.seat import Seat, make_plan

LONG, SHORT = "sentiment", "entities"  # by what was trained on, whatever their texts may be
LENGTHS = {LONG: 90, SHORT: 10}  # tokens of a row, as records tell


def spent(cell: Cell) -> dict[str, object]:
    """What a record says of a cell whose rows are of that length."""
    steps = cell.budget.steps or 1
    rows = steps * cell.budget.batch_size
    costs = Spent(steps=steps, forward_passes=rows, tokens=rows * LENGTHS[cell.task])
    return {"costs": costs, "counts": Counts(train=64, train_items=64, selection=8, scored=8)}


@pytest.fixture
def searched() -> Plan:
    """Ten cells of a task with long rows and ten of one with short ones, after two trials each."""
    return make_plan(tasks=f"{SHORT},{LONG}", methods="linear_probe", trials=2, seeds=10, steps=8, batch_size=8)


def tokens(group: list[Cell]) -> int:
    return sum(LENGTHS[cell.task] for cell in group)


def test_each_worker_gets_as_much_to_train_on_and_the_longest_are_among_the_first(
    tmp_path: Path, searched: Plan
) -> None:
    first = Seat(tmp_path, searched, max_lanes=32)
    for cell in first.next():
        first.write(cell, **spent(cell))
    seats = [Seat(tmp_path, searched, workers=4, max_lanes=32) for _ in range(4)]
    had = [seat.next() for seat in seats]
    assert len({cell.id for group in had for cell in group}) == sum(map(len, had)) == 20
    assert [len(group) for group in had] != [5] * 4
    share = sum(map(tokens, had)) / 4
    assert all(tokens(group) <= share + LENGTHS[LONG] for group in had)
    assert sorted(sum(cell.task == LONG for cell in group) for group in had) == [1, 3, 3, 3]


def test_one_worker_alone_trains_the_longest_first(tmp_path: Path, searched: Plan) -> None:
    seat = Seat(tmp_path, searched, max_lanes=10)
    for cell in seat.next():
        seat.write(cell, **spent(cell))
    assert [[cell.task for cell in group] for group in seat.do_all()] == [[LONG] * 10, [SHORT] * 10]


def test_a_reference_that_shares_loops_is_first_among_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    of = make_plan(tasks=SHORT, methods="ptv2,linear_probe", seeds=2)
    cells = [resolve(cell) for cell in of.cells]
    monkeypatch.setattr(type(cells[-1].method), "reference", True)
    line = Line("model", shares=True, turn=0)
    for resolved in cells:
        line.add(resolved, 2.0 if resolved.cell.method == "ptv2" else 1.0)
    line.sort()
    assert [resolved.cell.method for resolved in line.cells.values()] == ["linear_probe"] * 2 + ["ptv2"] * 2


def test_a_plan_divides_as_a_run_does(searched: Plan) -> None:
    cells = [resolve(cell) for cell in searched.cells]
    records = [Record(id=cell.id, cell=cell, status="done", main_metric="accuracy", **spent(cell))
               for cell in searched.trials]  # fmt: skip
    parts = list(groups(cells, max_lanes=32, workers=4, cost=Costs(seen(records)).tokens))
    assert [[each.cell.task for each in part.cells] for part in parts] == [
        [LONG] * 3, [LONG] * 3, [LONG] * 3, [LONG, *[SHORT] * 10],
    ]  # fmt: skip


@pytest.mark.parametrize("lacking", ["steps", "forward_passes", "tokens", "train_items"])
def test_a_record_that_lacks_a_count_tells_nothing_and_stops_nobody(searched: Plan, lacking: str) -> None:
    (first, *_), cell = searched.trials, resolve(searched.cells[0])
    of = spent(first)
    told = {name: part.model_copy(update={lacking: 0} if hasattr(part, lacking) else {}) for name, part in of.items()}
    record = Record(id=first.id, cell=first, status="done", main_metric="accuracy", **told)
    whole = record.model_copy(update=of)
    assert Costs(seen([record])).tokens(cell) == Costs().tokens(cell) != Costs(seen([whole])).tokens(cell)


def test_of_what_nothing_is_known_the_longest_text_that_is_read_tells(searched: Plan) -> None:
    short, long = (resolve(searched.cells[0].changed(budget=searched.cells[0].budget.model_copy(
        update={"max_length": length}))) for length in (32, 128))  # fmt: skip
    costs = Costs()
    assert costs.lacks(short.cell)
    assert costs.tokens(long) > costs.tokens(short) > 0
