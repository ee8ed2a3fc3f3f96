"""The data of a run: examples and encoded items, each made once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.data.context import Context, demonstrations, lay_context
from bench.data.encode import encode
from bench.data.examples import SplitExamples, read_examples
from bench.data.kind import LayoutSpec
from bench.data.rows import Item
from bench.data.specials import Reader, special
from bench.data.split import first_rows, held_out
from bench.data.tokens import TokenStore
from bench.errors import UsageError
from bench.model.source import find_model
from bench.task import Example, Split, Task
from bench.train.lane import LaneData
from bench.tuning import Method


@dataclass(frozen=True)
class Parts:
    """The examples of a cell: those it trains on, those its steps are chosen on, those its scores are from.

    A trial has no `scored` ones: nothing is chosen by the split that is reported.
    """

    train: list[Example]
    selection: list[Example]
    scored: list[Example]
    train_left_out: int = 0  # rows of the whole split
    train_repaired: int = 0  # repairs in the whole split
    scored_repaired: int = 0

    def __iter__(self) -> Iterator[list[Example]]:
        return iter((self.train, self.selection, self.scored))


@dataclass
class DataRoom:
    """What has been read and encoded so far."""

    store: TokenStore = field(default_factory=TokenStore)
    _readings: dict[tuple[str, str, Split, str | None], SplitExamples] = field(default_factory=dict)
    _parts: dict[tuple[object, ...], Parts] = field(default_factory=dict)
    _items: dict[tuple[object, ...], list[Item]] = field(default_factory=dict)
    _contexts: dict[tuple[object, ...], Context] = field(default_factory=dict)

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
        rest, selection, left_out = self._train(cell, task)
        scored = self._first(cell, task, task.scored) if cell.stage == "score" else []
        if cell.protocol == "paper":
            selection = self._first(cell, task, "dev")
        repaired = self._repaired(cell, task, "train")
        scored_repaired = self._repaired(cell, task, task.scored) if cell.stage == "score" else 0
        return Parts(rest, selection, scored, left_out, repaired, scored_repaired)

    def _train(self, cell: Cell, task: Task) -> tuple[list[Example], list[Example], int]:
        """The train rows of a cell, what is held out of them (under `paper` nothing), and how many were left out."""
        reading = self._read(cell, task, "train")
        train = first_rows(task, reading.examples, cell.budget.train_rows, "train")
        left_out = sum(reading.left_out.values())
        if cell.protocol == "paper":
            return train, [], left_out
        return *held_out(task, train, cell.streams.get("split")), left_out

    def _first(self, cell: Cell, task: Task, split: Split) -> list[Example]:
        return first_rows(task, self._read(cell, task, split).examples, cell.budget.scored_rows, split)

    def _repaired(self, cell: Cell, task: Task, split: Split) -> int:
        return sum(self._read(cell, task, split).repaired.values())

    def _read(self, cell: Cell, task: Task, split: Split) -> SplitExamples:
        key = (cell.suite, task.name, split, cell.data_path)
        if key not in self._readings:
            self._readings[key] = read_examples(task, split, Path(cell.data_path) if cell.data_path else None)
        return self._readings[key]

    def lane_data(self, cell: Cell, task: Task, method: Method, tokenizer: Any, reader: Reader) -> LaneData:
        """Items of a cell; cells of the same form, slots and length share them. `reader` is the backbone's."""
        parts, context = self.parts(cell, task), self._context(cell, task, method, tokenizer, reader)
        read = (tokenizer, reader, context)
        train = self._encoded(cell, task, method, "train", parts.train, *read) if method.trains else []
        selection = self._encoded(cell, task, method, "selection", parts.selection, *read)
        scored = self._encoded(cell, task, method, "scored", parts.scored, *read)
        rows = (parts.train, parts.selection, parts.scored)
        counts = (parts.train_left_out, parts.train_repaired, parts.scored_repaired)
        return LaneData(train, selection, scored, *rows, *counts, context)

    def train_data(self, cell: Cell, task: Task, method: Method, tokenizer: Any, reader: Reader) -> LaneData:
        """Of a cell the items it trains on alone; no other split is read."""
        rows, _, left_out = self._train(cell, task)
        train = self._encoded(cell, task, method, "train", rows, tokenizer, reader, Context())
        return LaneData(train, [], [], rows, [], [], left_out)

    def _encoded(
        self, cell: Cell, task: Task, method: Method, name: str, part: list[Example], tokenizer: Any, reader: Reader,
        context: Context,
    ) -> list[Item]:  # fmt: skip
        cloze, room = method.head == "verbalizer", cell.budget.max_length
        # a trial trains and is evaluated on what its method's other cells are; only the scored examples differ
        alike = cell.changed(stage="score") if name != "scored" else cell.changed(streams={})
        key = (cell.model_fingerprint, cloze, method.slots(), name, *_parts_key(alike), context)
        if key not in self._items:
            spec = LayoutSpec(special(tokenizer, reader), self.store, method.slots(), cloze, room, context.ids)
            self._items[key] = encode(task, spec, part)
        return self._items[key]

    def _context(self, cell: Cell, task: Task, method: Method, tokenizer: Any, reader: Reader) -> Context:
        """The demonstrations before every example of a cell, drawn from its train rows; told once if some are lacking.

        They may take the positions of the model that the longest text leaves.
        """
        count = method.demonstrations()
        key = (*_parts_key(cell.changed(stage="score")), cell.model_fingerprint, cell.seed, count)
        if count and key not in self._contexts:
            positions = find_model(cell.model_path).positions
            room = max(0, positions - cell.budget.max_length) if positions else None
            chosen = demonstrations(task, self.parts(cell, task).train, count, cell.seed)
            try:
                made = lay_context(special(tokenizer, reader), self.store, task, chosen, cell.budget.max_length, room)
            except UsageError as error:
                raise UsageError(f"{cell.label} on {task.name}, model {cell.model!r}: {error}") from None
            self._contexts[key] = made = replace(made, dropped=count - made.laid)
            if made.dropped:
                where = f"{cell.label} on {task.name}, model {cell.model}, seed {cell.seed}"
                lacking = f"{made.laid} of {count} demonstrations laid; there is no room or no train row for the others"
                warnings.warn(f"{where}: {lacking}", stacklevel=2)
        return self._contexts[key] if count else Context()


def _parts_key(cell: Cell) -> tuple[object, ...]:
    """Cells of equal keys have the same examples."""
    split = cell.streams.get("split")
    return (cell.suite, cell.task, cell.data_path, cell.protocol, cell.budget, cell.stage, split)
