"""Memory that is used up, of a device or of the machine, in whatever phase: it costs what needed it and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.store.record import Record
from bench.store.store import Store
from bench.train.groups import Group

DEVICE = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
ERRORS = {"OutOfMemoryError: CUDA out of memory. Tried": DEVICE, "MemoryError: ": MemoryError()}
LINES = ("--methods", "ptv2,linear_probe", "--set", "ptv2.length=4", "--seeds", "2", "--lanes", "2")
PHASES = {  # where a run's cells need memory
    "reading": "bench.runner.prepare",
    "loading": "bench.train.backbones.load_backbone",
    "attaching": "bench.runner.Lane.alone",
    "gradients": "bench.train.stack.Stack.step",
    "optimizer": "bench.train.stack.Stack.apply",
    "evaluation": "bench.score.evaluate.Predictor.predict",
    "scoring": "bench.runner._scored",
    "writing": "bench.runner.write_predictions",
}


def failing(real: Callable[..., Any], error: Exception, often: int) -> Callable[..., Any]:
    """A function that finds no memory so many times."""
    left = [often]

    def call(*arguments: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error
        return real(*arguments, **named)

    return call


def used_up(monkeypatch: pytest.MonkeyPatch, place: str, error: Exception, often: int = 10**9) -> None:
    holder, _, name = place.rpartition(".")
    found: Any = pytest.importorskip(holder) if not holder.rpartition(".")[2][:1].isupper() else None
    if found is None:
        module, _, kind = holder.rpartition(".")
        found = getattr(pytest.importorskip(module), kind)
    plain = found.__dict__[name]
    made = failing(getattr(plain, "__func__", plain), error, often)
    monkeypatch.setattr(found, name, classmethod(made) if isinstance(plain, classmethod) else made)


def records(out: str = "out") -> list[Record]:
    return Store.open(Path(out)).records()


def measured(record: Record) -> object:
    """What of a record must be the same however often it was tried."""
    return record.id, record.scores, record.curve, record.counts, record.files


@pytest.mark.parametrize(
    ("phase", "said"),
    [*((phase, "OutOfMemoryError: CUDA out of memory. Tried") for phase in PHASES), ("reading", "MemoryError: "),
     ("gradients", "MemoryError: ")],
)  # fmt: skip
def test_cells_without_memory_fail_with_the_reason_and_are_tried_again(
    bench: Any, monkeypatch: pytest.MonkeyPatch, phase: str, said: str
) -> None:
    with monkeypatch.context() as machine:
        used_up(machine, PHASES[phase], ERRORS[said])
        code, out, _ = bench.run()
    assert (code, "1 of 1 cells failed; they are tried again next time" in out) == (1, True)
    (record,) = records()
    assert record.status == "failed"
    assert str(record.reason).startswith(said)
    assert bench.run()[0] == 0


@pytest.fixture
def undisturbed(bench: Any) -> list[object]:
    assert bench.run(*LINES, "--out", "undisturbed")[0] == 0
    return sorted(map(measured, records("undisturbed")), key=str)


@pytest.mark.parametrize("phase", ["attaching", "optimizer", "evaluation", "scoring"])
def test_lanes_that_do_not_fit_together_are_tried_alone_and_come_to_the_same_bits(
    bench: Any, monkeypatch: pytest.MonkeyPatch, undisturbed: list[object], phase: str
) -> None:
    with monkeypatch.context() as machine:
        used_up(machine, PHASES[phase], DEVICE, often=1)
        assert bench.run(*LINES)[0] == 0
    assert sorted(map(measured, records()), key=str) == undisturbed


def test_a_cell_that_never_fits_costs_no_other(
    bench: Any, monkeypatch: pytest.MonkeyPatch, undisturbed: list[object]
) -> None:
    from bench.runner import Runner

    train = Runner._train

    def short(self: Runner, group: Group, *rest: Any) -> Any:
        if any(resolved.cell.method == "ptv2" and resolved.cell.seed == 1 for resolved in group.cells):
            raise DEVICE
        return train(self, group, *rest)

    monkeypatch.setattr(Runner, "_train", short)
    code, out, _ = bench.run(*LINES)
    assert (code, "1 of 4 cells failed" in out) == (1, True)
    done = [measured(record) for record in records() if record.status == "done"]
    assert len(done) == 3
    assert [each for each in done if each not in undisturbed] == []


@pytest.mark.parametrize("error", ERRORS.values(), ids=["device", "machine"])
def test_what_is_no_cells_ends_in_one_line(bench: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    places = {
        "run": "bench.commands.run.plan",
        "predict": "bench.score.evaluate.Predictor.predict",
        "export": "bench.export.check_written",
        "report": "bench.report.files.analyse",
    }
    assert bench.run("--set", "ptv2.length=4")[0] == 0
    (cell,) = [record.id for record in records()]
    Path("rows.jsonl").write_text(json.dumps({"premise": "word1.", "hypothesis": "word2."}) + "\n")
    commands = {
        "run": ["run", *bench.base, "--seeds", "2"],
        "predict": ["predict", cell, "--data", "rows.jsonl", "--to", "answers.csv", "--in", "out"],
        "export": ["export", cell, "--to", "exported", "--in", "out"],
        "report": ["report", "out"],
    }
    for name, words in commands.items():
        with monkeypatch.context() as machine:
            used_up(machine, places[name], error)
            line = bench.refusal(*bench(*words))
        assert line.startswith("error: not enough memory"), name
        assert line.endswith("end other programs, or take a smaller --token-budget or model"), name
    assert not any(Path(name).exists() for name in ("answers.csv", "exported", "out/report"))


def test_a_measurement_alone_that_had_no_memory_is_left_out(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.store.alone.LEAST", 0.0)
    monkeypatch.setattr("bench.store.alone.SHARE", 9.0)
    used_up(monkeypatch, "bench.execute.alone._of", DEVICE)
    assert bench.run(*LINES)[0] == 0
    assert [record.status for record in records()] == ["done"] * 4
    assert list(Path("out").glob("alone/*")) == []
