"""What a few steps tell of a long run: by a clock in which the first ones take hours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace

import pytest
import torch

from bench import runner
from bench.execute.pace import Steps
from bench.execute.probe import Probe, token_flops
from bench.execute.settled import FRESH, Pair, settled
from bench.model.device import device_name
from bench.plan.amounts import Rows, amount
from bench.plan.seen import Experience, seen
from bench.plan.trained import items_of_steps
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.record import Record
from bench.store.store import Store
from bench.train import loop, prepare, training
from bench.train.groups import Group
from bench.train.lane import Lane
from bench.train.options import Options
from tests.conftest import Quiet, pieces

CPU = torch.device("cpu")
HOUR = 3600.0
METHODS = ("ptv2", "finetune")


def test_a_probe_tells_of_a_model_that_has_not_run_and_leaves_nothing(workshop, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cells = [resolve(cell) for cell in workshop.cells("ptv2", "prompt_tuning", tasks=("rte", "cb"), seeds=(0, 1))]
    probe = Probe(Options(CPU))
    records = probe.measure(Group(tuple(cells)))
    assert list(tmp_path.iterdir()) == []
    assert [(record.status, record.cell.method) for record in records] == [("done", "ptv2"), ("done", "prompt_tuning")]
    assert {record.cell.id for record in records}.isdisjoint(resolved.cell.id for resolved in cells)
    steps = {record.costs.steps for record in records}
    assert len(steps) == 1
    known = Experience(seen(records, probed=True), device_name(CPU))
    rates = known.rates(cells[0], 2, token_flops)
    assert rates is not None
    assert rates.source.told(1).startswith(f"a probe of {steps.pop()} steps")
    assert probe.count(cells[0]) == Rows(36, 4, 12)


def test_a_probe_of_what_takes_long_has_fewer_rows(workshop, monkeypatch) -> None:
    def probed(flops_a_second: float) -> Record:
        monkeypatch.setattr("bench.execute.probe.peak_flops", lambda *_: flops_a_second)
        (record,) = Probe(Options(CPU)).measure(Group((resolve(workshop.cells("ptv2")[0]),)))
        return record

    slow, fast = probed(1.0), probed(1e18)
    assert (slow.costs.steps, slow.cell.budget.batch_size, slow.counts.scored) == (5, 1, 8)
    assert (fast.costs.steps, fast.cell.budget.batch_size, fast.counts.scored) == (12, 8, 12)


def test_what_a_process_pays_once_is_in_no_rate_of_a_probe(workshop, monkeypatch) -> None:
    late, step = [0.0], training.Training.step

    def stepping(own: training.Training, active: Sequence[Lane]) -> int:
        tokens = step(own, active)
        late[0] = HOUR  # at the first one: kernels were built, say
        return tokens

    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: perf_counter() + late[0]))
    monkeypatch.setattr(training.Training, "step", stepping)
    for method in ("ptv2", "finetune"):
        late[0] = 0.0
        (record,) = Probe(Options(CPU)).measure(Group((resolve(workshop.cells(method)[0]),), method != "finetune"))
        assert late[0] == HOUR
        assert record.costs.steps >= 5
        assert record.costs.train_seconds < HOUR / 2
        assert min(record.costs.load_seconds, record.costs.encode_seconds) > 0
        (told,) = seen([record], probed=True)
        assert 0 <= told.rest_seconds < HOUR / 2


@pytest.mark.parametrize("method", METHODS)
def test_what_the_first_steps_of_each_loop_take_besides_is_in_no_rate(workshop, monkeypatch, method) -> None:
    late, step = [0.0], training.Training.step

    def stepping(own: training.Training, active: Sequence[Lane]) -> int:
        tokens = step(own, active)
        late[0] += HOUR if active[0].step <= 3 else 1.0  # a shape came first, say
        return tokens

    clock = SimpleNamespace(perf_counter=lambda: perf_counter() + late[0])
    for module in (training, loop, runner):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(training.Training, "step", stepping)
    group = Group((resolve(workshop.cells(method)[0]),), method != "finetune")
    (record,) = Probe(Options(CPU)).measure(group)
    assert record.costs.steps == pytest.approx(record.costs.train_seconds, rel=0.5)  # a second each
    (told,) = seen([record], probed=True)
    assert told.rest_seconds == pytest.approx(3 * HOUR, rel=0.01)
    assert record.costs.seconds == pytest.approx(3 * HOUR, rel=0.01)


def pair(workshop, folder: Path, method: str = "ptv2") -> Pair:
    (cell,) = workshop.cells(method, budget={"steps": 12, "evaluations": 1})
    (record,) = Runner(Store.create(folder), Options(CPU), Quiet()).run(pieces((cell,)))
    costs = record.costs.model_copy(
        update={"seconds": 103.0, "train_seconds": 60.0, "evaluate_seconds": 40.0, "compile_seconds": 1.0,
                "load_seconds": 0.5, "encode_seconds": 0.5}
    )  # fmt: skip
    before = costs.model_copy(update={"train_seconds": 30.0, "load_seconds": 7.0})
    return Pair(resolve(cell), *(record.model_copy(update={"costs": each}) for each in (costs, before)))


@pytest.mark.parametrize(("method", "share"), [("ptv2", 1 / 2), ("finetune", 1 / 3)])
def test_on_a_gpu_first_shapes_are_paid_once_and_more_of_them_by_a_longer_run(
    workshop, tmp_path, method, share
) -> None:
    """Ten of sixty seconds are settled steps' in the loop, two of thirty in the one before."""
    one = pair(workshop, tmp_path / "out", method)
    steps = Steps(2, [(100, 25.0), (100, 25.0), (400, 6.0), (100, 2.5), (100, 1.5)])
    assert (steps.token_seconds, steps.settled_share(1 / 60)) == (1 / 60, pytest.approx(800 / 60 / 60))
    of_ten = Steps(1, [(300, 55.0), (300, 5.0)])
    before = Steps(1, [(120, 30.0)])
    (record,) = settled([one], before, of_ten, captures=True)
    costs, counts = record.costs, record.counts
    assert costs.train_seconds == pytest.approx(10.0)
    trained = items_of_steps(one.record) * counts.train / counts.train_items
    scored = len(record.curve) * counts.selection + counts.scored
    assert costs.evaluate_seconds == pytest.approx(10.0 * scored / trained * share)
    paid_once = 28.0 if method == "ptv2" else 0.0  # the loop before: all but its settled two seconds
    assert costs.load_seconds == pytest.approx(0.5 + max(0.0, paid_once - 50.0))
    (told,) = seen([record], probed=True)
    rest = 103 - 0.5 - 0.5 - 60 - 40
    assert told.rest_seconds == pytest.approx(rest + 50 + 40 - costs.evaluate_seconds + (FRESH - 1) * (50 + 1))
    (on_cpu,) = settled([one], before, of_ten, captures=False)
    assert on_cpu.costs.evaluate_seconds == 40.0
    assert seen([on_cpu], probed=True)[0].rest_seconds == pytest.approx(rest + 50)


def test_what_a_process_pays_beside_the_loop_goes_with_loading_a_model_once(workshop, tmp_path) -> None:
    one = pair(workshop, tmp_path / "out")
    all_settled = Steps(0, [(600, 60.0)])
    (record,) = settled([one], Steps(0, [(30, 30.0)]), all_settled, captures=False)
    assert record.costs.train_seconds == 60.0
    assert record.costs.load_seconds == pytest.approx(0.5 + 27.0)
    (nothing_settled,) = settled([one], Steps(0), Steps(9, [(600, 60.0)]), captures=True)
    assert (nothing_settled.costs.train_seconds, nothing_settled.costs.load_seconds) == (60.0, 0.5)


def test_where_states_are_kept_training_is_reading_the_rows_once(workshop, tmp_path) -> None:
    one = pair(workshop, tmp_path / "out", "linear_probe")
    counts, one.record.costs.evaluate_seconds = one.record.counts, 8.0
    (record,) = settled([one], Steps(0, [(30, 30.0)]), Steps(1, [(300, 55.0), (300, 5.0)]), captures=True)
    rows = len(record.curve) * counts.selection + counts.scored
    assert record.costs.train_seconds == pytest.approx(8.0 / rows * counts.train)
    assert record.costs.evaluate_seconds == 8.0


def test_of_many_cells_of_a_model_its_tokenizer_is_loaded_once(workshop, monkeypatch) -> None:
    loaded, load = [], prepare.load_tokenizer
    monkeypatch.setattr(prepare, "load_tokenizer", lambda model: loaded.append(model) or load(model))
    probe = Probe(Options(CPU))
    cells = workshop.cells(*METHODS, tasks=("rte", "cb"), seeds=(0, 1, 2))
    assert all(probe.tokens(resolve(cell)) for cell in cells)
    assert (len(cells), len(loaded)) == (12, 1)


def test_the_tokens_of_rows_that_are_here_are_those_that_a_run_counts(workshop, tmp_path) -> None:
    cells = workshop.cells(*METHODS, "prompt_tuning", tasks=("rte",), budget={"steps": None, "epochs": 1})
    records: list[Record] = Runner(Store.create(tmp_path / "out"), Options(CPU), Quiet()).run(pieces(cells))
    probe = Probe(Options(CPU))
    for record in records:
        work = amount(resolve(record.cell), [], probe.count, probe.tokens)
        assert work is not None
        per_row = record.costs.tokens / record.counts.train_items
        assert work.tokens.likely == work.tokens.high
        assert probe.tokens(resolve(record.cell)) == pytest.approx(per_row)
