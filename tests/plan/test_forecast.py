"""What a forecast says of cells is held against records that a real run of them wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.cell import Cell
from bench.execute.probe import token_flops
from bench.model.device import device_name
from bench.plan.amounts import Rows, amount
from bench.plan.forecast import Forecast, Known, forecast
from bench.plan.ranges import Range
from bench.plan.seen import Experience, Seen, seen
from bench.plan.trained import rows_of_steps
from bench.resolved import resolve
from bench.runner import Runner
from bench.store import alone
from bench.store.record import Record
from bench.store.store import Store
from bench.train.groups import groups
from bench.train.memory import bytes_needed
from bench.train.options import Options
from tests.conftest import Quiet, pieces

CPU = torch.device("cpu")
HOUR = 3600.0
EPOCHS = {"steps": None, "epochs": 1, "evaluations": None}
METHODS = ("ptv2", "prompt_tuning", "finetune")


@pytest.fixture(scope="module")
def ran(workshop, tmp_path_factory) -> list[Record]:
    """Two tasks, three methods, an epoch, batches of which the last is short."""
    return run(workshop.cells(*METHODS, tasks=("rte", "cb"), budget=EPOCHS), tmp_path_factory.mktemp("ran") / "out")


def run(cells: tuple[Cell, ...], folder: Path) -> list[Record]:
    records = Runner(Store.create(folder), Options(CPU), Quiet()).run(pieces(cells))
    assert {record.status for record in records} == {"done"}
    return records


def experience(records: list[Record]) -> Experience:
    return Experience(seen(records), device_name(CPU))


def test_tokens_and_rows_of_a_longer_run_are_those_it_then_counts(workshop, ran, tmp_path) -> None:
    """Three epochs from one: full epochs, so that not a token is left to chance."""
    longer = workshop.cells(*METHODS, tasks=("rte", "cb"), budget=EPOCHS | {"epochs": 3})
    told = {cell.id: amount(resolve(cell), experience(ran).of_task(cell)) for cell in longer}
    for each in seen(run(longer, tmp_path / "out")):
        expected = told[each.record.id]
        assert expected is not None
        assert expected.tokens.likely == pytest.approx(each.record.costs.tokens, rel=1e-12)
        assert (expected.steps, expected.evaluated) == (each.record.costs.steps, each.evaluated)
        assert expected.assumed == ""


def test_a_prompt_of_another_length_has_as_many_tokens_more(workshop, ran, tmp_path) -> None:
    settings = {"prompt_tuning": {"length": 11}}
    (cell,) = workshop.cells("prompt_tuning", settings=settings, budget=EPOCHS)
    (record,) = run((cell,), tmp_path / "out")
    told = amount(resolve(cell), experience(ran).of_task(cell))
    assert told is not None
    assert told.tokens.likely == pytest.approx(record.costs.tokens, rel=1e-12)


def test_the_time_of_the_cells_that_ran_is_what_they_took(ran) -> None:
    """All of it is told by their own records, and adds up to theirs again."""
    cut = list(groups([resolve(record.cell) for record in ran], max_lanes=8))
    told = forecast([group.cells for group in cut], (), Known(experience(ran)), num_workers=1)
    assert told.unknown == 0
    encoded = sum(record.costs.encode_seconds or 0.0 for record in ran)
    loaded = sum(record.costs.load_seconds or 0.0 for record in ran)
    took = sum(record.costs.seconds for record in ran)
    without_loading = sum(group.seconds.likely for group in told.groups if group.seconds)
    assert without_loading == pytest.approx(took - encoded - loaded)
    assert told.encoding <= encoded
    assert told.wall.low <= told.wall.likely <= told.wall.high
    (sources,) = {frozenset(group.sources) for group in told.groups}
    (source,) = sources
    assert source.told(6) == "6 records of the same lines and tasks"


def test_a_head_on_kept_states_reads_each_row_once_however_long_it_trains(workshop, tmp_path) -> None:
    short, long = (workshop.cells("linear_probe", budget=EPOCHS | {"epochs": epochs}) for epochs in (2, 8))
    records = run(short, tmp_path / "out")
    (record,) = records
    known = experience(records)
    rates = known.rates(resolve(long[0]), 1, token_flops)
    told = amount(resolve(long[0]), known.of_task(long[0]))
    assert rates is not None
    assert told is not None
    assert rates.once
    assert told.once.likely == pytest.approx(record.costs.tokens)
    assert told.tokens.likely == pytest.approx(8 * record.costs.tokens)
    (of_short,), (of_long,) = (
        forecast([[resolve(cell)] for cell in cells], (), Known(known), 1).groups for cells in (short, long)
    )
    assert of_short.seconds is not None
    assert of_long.seconds is not None
    more = rates.row.likely * (8 - 2) * record.counts.selection
    assert of_long.seconds.likely == pytest.approx(of_short.seconds.likely + more)


def test_what_is_measured_alone_afterwards_takes_a_tenth_of_a_run_that_shares_loops(ran, monkeypatch) -> None:
    monkeypatch.setattr(alone, "LEAST", 0.0)
    cells, known = [resolve(record.cell) for record in ran], Known(experience(ran))
    together = forecast([group.cells for group in groups(cells, max_lanes=8)], (), known, num_workers=2)
    assert together.alone == pytest.approx(0.1 * together.device.likely / 2)
    assert forecast([(cell,) for cell in cells], (), known, num_workers=2).alone == 0.0
    assert forecast([(cell,) for cell in cells], (), known, num_workers=2, num_devices=1).alone > 0
    trials = [replace(cell, cell=cell.cell.changed(stage="trial")) for cell in cells]
    assert forecast([trials], (), known, num_workers=1).alone == 0.0


def test_the_likest_records_tell_and_the_forecast_says_how_they_are_like(workshop, ran) -> None:
    known = experience(ran)

    def source(*methods: str, lanes: int = 4, **grid: object) -> str:
        (cell,) = workshop.cells(*methods, **grid)
        rates = known.rates(resolve(cell), lanes, token_flops)
        assert rates is not None
        return rates.source.told(len(rates.ids))

    assert source("ptv2") == "1 record of the same lines and tasks"
    assert source("ptv2", settings={"ptv2": {"length": 2}}) == "1 record of other settings"
    assert source("ptv2", tasks=("boolq",)) == "2 records of other tasks"
    assert source("lora") == "4 records of other methods"
    assert source("ptv2", lanes=8) == "1 record of the same lines and tasks, 4 in a loop"
    assert source("finetune", tasks=("boolq",), lanes=1) == "2 records of other tasks"


def test_another_model_is_told_by_arithmetic_and_takes_longer_as_its_matrices_are_larger(workshop, ran) -> None:
    (cell,) = workshop.cells("ptv2")
    other = resolve(cell.changed(model="twice", model_fingerprint="of another model"))
    of_record = [record for record in ran if record.cell.method == "ptv2"]
    flops = sum(record.costs.model_flops or 0.0 for record in of_record) / sum(r.costs.tokens for r in of_record)
    rates = experience(ran).rates(other, 4, lambda resolved: 2 * flops)
    assert rates is not None
    assert "by arithmetic" in rates.source.words
    assert "of ptv2 on tiny-bert" in rates.source.words
    one = experience(ran).rates(other, 4, lambda resolved: flops)
    assert one is not None
    assert rates.token.likely == pytest.approx(2 * one.token.likely)
    assert rates.peak_bytes == 0  # of another size
    assert experience(ran).rates(other, 4, lambda resolved: 0.0) is None


def test_of_another_device_or_precision_nothing_is_known(workshop, ran) -> None:
    (cell,) = workshop.cells("ptv2")
    elsewhere = Experience(seen(ran), "another device")
    assert elsewhere.rates(resolve(cell), 1, token_flops) is None
    assert experience(ran).rates(resolve(cell.changed(precision="bf16")), 1, token_flops) is None
    sharing = [each.model_copy(update={"provenance": {**each.provenance, "workers": 3}}) for each in ran]
    assert experience(sharing).rates(resolve(cell), 1, token_flops) is None  # they had a third of a GPU
    told = forecast([[resolve(cell)]], (), Known(elsewhere), num_workers=2)
    assert (told.unknown, told.groups[0].seconds, told.wall) == (1, None, Range.exactly(0.0))


def test_a_failed_cell_tells_nothing(ran) -> None:
    assert seen([ran[0].model_copy(update={"status": "failed"})]) == []


def test_memory_is_what_was_seen_and_else_the_estimate(workshop, ran) -> None:
    (cell,) = workshop.cells("ptv2")
    group = (resolve(cell),)

    def needed(cells: object) -> int:
        return bytes_needed(group, [CPU], None, checkpointing=False)

    (seen_one,) = forecast([group], (), Known(experience(ran), bytes_needed=needed), 1).groups
    of_ptv2 = next(record for record in ran if (record.cell.method, record.cell.task) == ("ptv2", "rte"))
    assert (seen_one.num_bytes, seen_one.bytes_seen) == (of_ptv2.costs.peak_bytes, True)
    (estimated,) = forecast([group], (), Known(experience([]), bytes_needed=needed), 1).groups
    assert (estimated.num_bytes, estimated.bytes_seen) == (needed(group), False)
    assert needed(group) > 0


def shared(records: list[Record], workers: int, slower: float) -> list[Record]:
    """Records as these, of cells that had so many workers on their GPU and took so many times as long."""
    made = []
    for each in records:
        times = {name: value * slower for name, value in each.costs if name.endswith("_seconds") or name == "seconds"}
        costs = each.costs.model_copy(update=times)
        made.append(each.model_copy(update={"costs": costs, "provenance": {**each.provenance, "workers": workers}}))
    return made


def test_workers_that_share_a_gpu_take_what_as_many_took_before(ran) -> None:
    cut = [(resolve(record.cell),) for record in ran]

    def told(records: list[Record], sharing: int, num_workers: int, num_devices: int) -> Forecast:
        known = Known(Experience(seen(records), device_name(CPU), sharing))
        return forecast(cut, (), known, num_workers, num_devices)

    def seconds(of: Forecast, end: str = "likely") -> float:
        return sum(getattr(group.seconds, end) for group in of.groups)

    both, alone = [*ran, *shared(ran, 3, slower=1.5)], told(ran, 1, 1, 1)
    of_three = told(both, 3, 3, 1)
    assert seconds(of_three) == pytest.approx(1.5 * seconds(alone))
    assert (of_three.num_workers, of_three.num_devices) == (3, 1)
    assert of_three.device.likely < alone.device.likely
    assert not any("beside others" in source.words for group in of_three.groups for source in group.sources)
    of_two = told(both, 2, 2, 1)
    assert all("slower 2 times beside others" in source.words for group in of_two.groups for source in group.sources)
    assert seconds(alone) < seconds(of_two) < 2.001 * seconds(alone)  # setting up is not slower
    assert seconds(of_two, "low") == pytest.approx(seconds(alone, "low"))  # where all is gained by it


@pytest.mark.parametrize(("steps", "rows"), [(0, 0), (1, 8), (4, 32), (5, 36), (6, 44), (10, 72)])
def test_the_last_batch_of_an_epoch_is_short(steps, rows) -> None:
    assert rows_of_steps(steps, num_items=36, batch_size=8) == rows


def test_without_records_the_length_of_rows_is_assumed_and_their_number_declared_or_read(workshop) -> None:
    (cell,) = workshop.cells("ptv2", budget=EPOCHS)
    resolved = resolve(cell)
    told = amount(resolved, [])  # RTE has 2490 rows, of which 249 are held out, and 277 in dev
    assert told is not None
    assert (told.steps, told.evaluated) == (281, 249 + 277)
    assert told.tokens == Range(2241 * 8, 2241 * 16, 2241 * 32)
    assert told.assumed == "rows of a quarter to all of --max-length"
    undeclared = resolve(cell)
    object.__setattr__(undeclared, "task", resolved.task.model_copy(update={"sizes": {}}))
    assert amount(undeclared, []) is None
    read = amount(undeclared, [], lambda _: Rows(36, 4, 12))
    assert read is not None
    assert (read.steps, read.evaluated) == (5, 4 + 12)
    by_rows = amount(resolved, [], lengths=lambda _: 21.5)
    assert by_rows is not None
    assert (by_rows.tokens, by_rows.assumed) == (Range.exactly(2241 * 21.5), "")


def test_a_record_goes_before_a_probe(ran) -> None:
    probed = [Seen(each.record, each.method, probed=True) for each in seen(ran)]
    known = Experience([*probed, *seen(ran)], device_name(CPU))
    rates = known.rates(resolve(ran[0].cell), 1, token_flops)
    assert rates is not None
    assert rates.source.probe_steps == 0


def test_the_flops_of_a_token_are_four_for_a_matrix_element_and_six_where_it_trains(workshop) -> None:
    frozen, changed = (token_flops(resolve(workshop.cells(name)[0])) for name in ("ptv2", "finetune"))
    assert frozen > 0
    assert changed == 1.5 * frozen
