"""The data of a run: examples and encoded items, each made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.data.encode import Encoder, Form
from bench.data.examples import Reading, examples
from bench.data.rows import Item
from bench.data.specials import Reader
from bench.data.split import first_rows, held_out
from bench.data.tokens import TokenStore
from bench.errors import UsageError
from bench.spec import Cell, Example, Method, Split, Task
from bench.train.lane import LaneData


@dataclass(frozen=True)
class Parts:
    """The examples of a cell: those it trains on, those its steps are chosen on, those its scores are from.

    A trial has no `scored` ones: nothing is chosen by the split that is reported.
    """

    train: list[Example]
    selection: list[Example]
    scored: list[Example]
    train_left_out: int = 0  # rows of the whole split

    def __iter__(self) -> Iterator[list[Example]]:
        return iter((self.train, self.selection, self.scored))


@dataclass
class DataRoom:
    """What has been read and encoded so far."""

    store: TokenStore = field(default_factory=TokenStore)
    _readings: dict[tuple[str, str, Split, str | None], Reading] = field(default_factory=dict)
    _parts: dict[tuple[object, ...], Parts] = field(default_factory=dict)
    _items: dict[tuple[object, ...], list[Item]] = field(default_factory=dict)

    @property
    def num_items(self) -> int:
        return sum(map(len, self._items.values()))

    def parts(self, cell: Cell, task: Task) -> Parts:
        """The examples of a cell. UsageError when the source is unfit."""
        key = _parts_key(cell)
        if key not in self._parts:
            self._parts[key] = self._divided(cell, task)
        return self._parts[key]

    def _divided(self, cell: Cell, task: Task) -> Parts:
        reading = self._read(cell, task, "train")
        train = first_rows(task, reading.examples, cell.budget.train_rows, "train")
        left_out = sum(reading.left_out.values())
        scored = self._first(cell, task, task.scored) if cell.stage == "score" else []
        if cell.protocol == "paper":
            return Parts(train, self._first(cell, task, "dev"), scored, left_out)
        rest, selection = held_out(task, train, cell.streams.get("split"))
        if not rest or not selection:
            raise UsageError(f"task {task.name!r}: nothing can be held out of {len(train)} train rows; give it more")
        return Parts(rest, selection, scored, left_out)

    def _first(self, cell: Cell, task: Task, split: Split) -> list[Example]:
        return first_rows(task, self._read(cell, task, split).examples, cell.budget.scored_rows, split)

    def _read(self, cell: Cell, task: Task, split: Split) -> Reading:
        key = (cell.suite, task.name, split, cell.data_path)
        if key not in self._readings:
            self._readings[key] = examples(task, split, Path(cell.data_path) if cell.data_path else None)
        return self._readings[key]

    def lane_data(self, cell: Cell, task: Task, method: Method, tokenizer: Any, reader: Reader) -> LaneData:
        """Items of a cell; cells of the same form, slots and length share them. `reader` is the backbone's."""
        form = form_of(method)
        shape = (cell.model_fingerprint, form, method.slots())
        parts = self.parts(cell, task)
        items: list[list[Item]] = []
        for name, part in zip(("train", "selection", "scored"), parts, strict=True):
            # a trial trains and is evaluated on what its method's other cells are; only the scored examples differ
            alike = cell.changed(stage="score") if name != "scored" else cell.changed(streams={})
            key = (*shape, name, *_parts_key(alike))
            if key not in self._items:
                encoder = Encoder(tokenizer, task, form, method.slots(), cell.budget.max_length, self.store, reader)
                self._items[key] = encoder.encode(part)
            items.append(self._items[key])
        return LaneData(items[0], items[1], items[2], parts.train, parts.selection, parts.scored, parts.train_left_out)


def _parts_key(cell: Cell) -> tuple[object, ...]:
    """Cells of equal keys have the same examples."""
    split = cell.streams.get("split")
    return (cell.suite, cell.task, cell.data_path, cell.protocol, cell.budget, cell.stage, split)


def form_of(method: Method) -> Form:
    """A verbalizer reads the task's cloze pattern, a linear head the plain texts."""
    return "cloze" if method.head == "verbalizer" else "plain"
