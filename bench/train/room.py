"""The data of a run: examples and encoded rows, each made once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench.data.encode import Encoder, Form, Row
from bench.data.examples import examples
from bench.data.split import first_rows, held_out
from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.spec import Cell, Example, Method, Split, Task
from bench.train.lane import LaneData

Parts = tuple[list[Example], list[Example], list[Example]]  # train, selection, dev


@dataclass
class DataRoom:
    """What has been read and encoded so far."""

    _examples: dict[tuple[str, str, Split, str | None], list[Example]] = field(default_factory=dict)
    _parts: dict[tuple[object, ...], Parts] = field(default_factory=dict)
    _rows: dict[tuple[object, ...], list[Row]] = field(default_factory=dict)

    def split(self, cell: Cell, task: Task) -> Parts:
        """(train, selection, dev) examples of a cell."""
        key = (cell.suite, task.name, cell.data_path, cell.protocol, cell.budget)
        if key not in self._parts:
            self._parts[key] = self._divided(cell, task)
        return self._parts[key]

    def _divided(self, cell: Cell, task: Task) -> Parts:
        train, dev = (self._read(cell, task, split) for split in ("train", "dev"))
        train = first_rows(task, train, cell.budget.train_rows, "train")
        dev = first_rows(task, dev, cell.budget.dev_rows, "dev")
        if cell.protocol == "paper":
            return train, dev, dev
        rest, selection = held_out(task, train)
        if not rest or not selection:
            raise UsageError(f"task {task.name!r}: nothing can be held out of {len(train)} train rows; give it more")
        return rest, selection, dev

    def _read(self, cell: Cell, task: Task, split: Split) -> list[Example]:
        key = (cell.suite, task.name, split, cell.data_path)
        if key not in self._examples:
            self._examples[key] = examples(task, split, Path(cell.data_path) if cell.data_path else None)
        return self._examples[key]

    def lane_data(self, cell: Cell, task: Task, method: Method, backbone: Backbone) -> LaneData:
        """Encoded rows for a cell; cells of the same form, slots and length share them."""
        form = form_of(method)
        shape = (cell.model_fingerprint, task.name, cell.suite, cell.protocol, form, method.slots(), cell.budget)
        parts = self.split(cell, task)
        rows: list[list[Row]] = []
        for name, part in zip(("train", "selection", "dev"), parts, strict=True):
            key = (*shape, name, cell.data_path)
            if key not in self._rows:
                encoder = Encoder(backbone.tokenizer, task, form, method.slots(), cell.budget.max_length)
                self._rows[key] = encoder.encode(part)
            rows.append(self._rows[key])
        return LaneData(rows[0], rows[1], rows[2], *parts)


def form_of(method: Method) -> Form:
    """A verbalizer reads the task's cloze pattern, a linear head the plain texts."""
    return "cloze" if method.head == "verbalizer" else "plain"
