"""What cells share of a run's data, and what they do not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from transformers import AutoTokenizer

from bench.data.specials import Reader
from bench.resolved import resolve
from bench.score.trivial import trivial
from bench.train.prepare import prepare
from bench.train.run_data import RunData


@dataclass(frozen=True)
class Model:
    tokenizer: Any
    reader: Reader = field(default_factory=Reader)
    positions: int = 64


def test_models_of_one_tokenizer_share_their_items(workshop) -> None:
    (resolved,) = map(resolve, workshop.cells("ptv2"))
    one, same = (Model(AutoTokenizer.from_pretrained(workshop.model)) for _ in range(2))
    data = RunData()
    assert data.of(resolved, one).train is data.of(resolved, same).train


def test_models_that_read_in_another_way_or_pad_with_another_token_do_not(workshop) -> None:
    (resolved,) = map(resolve, workshop.cells("prompt_tuning"))
    one, padded = (Model(AutoTokenizer.from_pretrained(workshop.model)) for _ in range(2))
    padded.tokenizer.pad_token = "[UNK]"
    data = RunData()
    items = data.of(resolved, one).train
    for other in (replace(one, reader=Reader(causal=True)), padded):
        assert data.of(resolved, other).train is not items
    (row,) = items[0].rows
    (padded_row,) = data.of(resolved, padded).train[0].rows
    assert [row.ids[at] for at in row.slots] == [0] * 5
    assert [padded_row.ids[at] for at in padded_row.slots] == [1] * 5


def test_the_trivial_score_is_that_of_the_cells_own_examples_and_a_trial_has_none(workshop) -> None:
    first, _ = map(resolve, workshop.cells("ptv2", seeds=(0, 1)))
    trial = resolve(first.cell.changed(stage="trial"))
    data = RunData()
    prepare([first, trial], data)
    model = Model(AutoTokenizer.from_pretrained(workshop.model))
    of_first, of_trial = data.of(first, model), data.of(trial, model)
    assert of_first.trivial == trivial(first.task, of_first.train_examples, of_first.scored_examples)
    assert of_trial.trivial == {}


def test_the_seconds_of_reading_and_encoding_are_divided_among_the_cells_of_a_task(workshop, monkeypatch) -> None:
    class Clock:
        now = 0.0

        @classmethod
        def perf_counter(cls) -> float:
            cls.now += 1.0
            return cls.now

    cells = [resolve(cell) for cell in workshop.cells("ptv2", "prompt_tuning", tasks=("rte", "cb"))]
    data = RunData()
    monkeypatch.setattr("bench.train.shares.time", Clock)
    prepare(cells, data)
    # each of four cells asks for rows and for items, a second each by this clock; two cells share a task's
    assert [data.seconds.of(resolved.cell.id) for resolved in cells] == [2.0] * 4
    prepare(cells, data)
    assert [data.seconds.of(resolved.cell.id) for resolved in cells] == [2.0] * 4
