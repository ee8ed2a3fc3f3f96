"""The data of a run: examples and encoded items, each made once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.cell import Cell
from bench.data.context import Context, demonstrations, lay_context
from bench.data.encode import encode
from bench.data.examples import SplitExamples, read_examples
from bench.data.kind import LayoutSpec
from bench.data.rows import Item
from bench.data.specials import Reader, Special, special
from bench.data.split import first_rows, held_out
from bench.data.tokens import TokenStore
from bench.errors import UsageError
from bench.resolved import ResolvedCell
from bench.score.trivial import trivial
from bench.task import Example, Split, Task
from bench.train.shares import Shares

PartName = Literal["train", "selection", "scored"]


class TextModel(Protocol):
    """What decides how a model's texts are encoded: of a loaded backbone, or known before one is loaded."""

    @property
    def tokenizer(self) -> Any: ...
    @property
    def reader(self) -> Reader: ...
    @property
    def positions(self) -> int:
        """Of the longest sequence; 0 where there is no limit."""


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
    trivial: dict[str, float] = field(default_factory=dict)  # of a constant answer, where anything is scored


@dataclass(frozen=True)
class LaneData:
    """Items of one cell with the examples they came from. Under protocol `paper`, selection is the dev split.

    A trial has nothing in `scored`.
    """

    train: Sequence[Item]
    selection: Sequence[Item]
    scored: Sequence[Item]
    train_examples: Sequence[Example]
    selection_examples: Sequence[Example]
    scored_examples: Sequence[Example]
    train_left_out: int = 0
    train_repaired: int = 0
    scored_repaired: int = 0
    context: Context = field(default_factory=Context)
    trivial: dict[str, float] = field(default_factory=dict)  # see bench.score.trivial, on the scored examples


@dataclass
class RunData:
    """What has been read and encoded so far."""

    tokens: TokenStore = field(default_factory=TokenStore)
    prepared: set[tuple[str | None, ...]] = field(default_factory=set)  # by bench.train.prepare
    seconds: Shares = field(default_factory=Shares)  # of reading and encoding, filled by bench.train.prepare
    _splits: dict[tuple[str, str, Split, str | None], SplitExamples] = field(default_factory=dict)
    _parts: dict[tuple[object, ...], Parts] = field(default_factory=dict)
    _items: dict[tuple[object, ...], list[Item]] = field(default_factory=dict)
    _contexts: dict[tuple[object, ...], Context] = field(default_factory=dict)
    _specials: dict[tuple[int, Reader], Special] = field(default_factory=dict)

    @property
    def num_items(self) -> int:
        return sum(map(len, self._items.values()))

    def parts(self, cell: Cell, task: Task) -> Parts:
        """The examples of a cell. UsageError when the source is unfit."""
        key = _parts_key(cell)
        if key not in self._parts:
            self._parts[key] = self._divided(cell, task)
        return self._parts[key]

    def of(self, resolved: ResolvedCell, model: TextModel) -> LaneData:
        """Items of a cell; cells of one tokenizer, form, slots and length share them. UsageError: data are unfit."""
        parts, context = self.parts(resolved.cell, resolved.task), self.context(resolved, model)
        train = self._encoded(resolved, "train", parts.train, model, context) if resolved.method.trains else []
        selection = self._encoded(resolved, "selection", parts.selection, model, context)
        scored = self._encoded(resolved, "scored", parts.scored, model, context)
        return LaneData(
            train, selection, scored, parts.train, parts.selection, parts.scored,
            parts.train_left_out, parts.train_repaired, parts.scored_repaired, context, parts.trivial,
        )  # fmt: skip

    def train_alone(self, resolved: ResolvedCell, model: TextModel) -> LaneData:
        """Of a cell the items it trains on and nothing else; no other split is read."""
        rows, _, left_out = self._train(resolved.cell, resolved.task)
        train = self._encoded(resolved, "train", rows, model, Context())
        return LaneData(train, [], [], rows, [], [], left_out)

    def _divided(self, cell: Cell, task: Task) -> Parts:
        train, selection, left_out = self._train(cell, task)
        scored = self._first(cell, task, task.scored) if cell.stage == "score" else []
        if cell.protocol == "paper":
            selection = self._first(cell, task, "dev")
        repaired = self._repaired(cell, task, "train")
        scored_repaired = self._repaired(cell, task, task.scored) if cell.stage == "score" else 0
        constant = trivial(task, train, scored) if scored else {}
        return Parts(train, selection, scored, left_out, repaired, scored_repaired, constant)

    def _train(self, cell: Cell, task: Task) -> tuple[list[Example], list[Example], int]:
        """The train rows of a cell, what is held out of them (under `paper` nothing), and how many were left out."""
        split = self._read(cell, task, "train")
        train = first_rows(task, split.examples, cell.budget.train_rows, "train")
        left_out = sum(split.left_out.values())
        if cell.protocol == "paper":
            return train, [], left_out
        return *held_out(task, train, cell.streams.get("split")), left_out

    def _first(self, cell: Cell, task: Task, split: Split) -> list[Example]:
        return first_rows(task, self._read(cell, task, split).examples, cell.budget.scored_rows, split)

    def _repaired(self, cell: Cell, task: Task, split: Split) -> int:
        return sum(self._read(cell, task, split).repaired.values())

    def _read(self, cell: Cell, task: Task, split: Split) -> SplitExamples:
        key = (cell.suite, task.name, split, cell.data_path)
        if key not in self._splits:
            self._splits[key] = read_examples(task, split, Path(cell.data_path) if cell.data_path else None)
        return self._splits[key]

    def _encoded(
        self, resolved: ResolvedCell, name: PartName, examples: list[Example], model: TextModel, context: Context
    ) -> list[Item]:
        cell, method = resolved.cell, resolved.method
        cloze = method.head == "verbalizer"
        # a trial trains and is evaluated on what its method's other cells are; only the scored examples differ
        alike = cell.changed(stage="score") if name != "scored" else cell.changed(streams={})
        around = self._special(model)
        # models of one tokenizer share their items
        tokenizer = (self.tokens.key(model.tokenizer), around.layout)
        key = (tokenizer, cloze, method.slots(), name, *_parts_key(alike), context)
        if key not in self._items:
            spec = LayoutSpec(around, self.tokens, method.slots(), cloze, cell.budget.max_length, context.ids)
            self._items[key] = encode(resolved.task, spec, examples)
        return self._items[key]

    def _special(self, model: TextModel) -> Special:
        """What a model's tokenizer puts around texts, learned once."""
        key = (id(model.tokenizer), model.reader)  # its own as long as what was learned holds it
        if key not in self._specials:
            self._specials[key] = special(model.tokenizer, model.reader)
        return self._specials[key]

    def context(self, resolved: ResolvedCell, model: TextModel) -> Context:
        """The demonstrations before every example of a cell, drawn from its train rows; told once if some are lacking.

        They may take the positions of the model that the longest text leaves.
        """
        cell, task, count = resolved.cell, resolved.task, resolved.method.demonstrations()
        if not count:
            return Context()
        key = (*_parts_key(cell.changed(stage="score")), cell.model_fingerprint, cell.seed, count)
        if key not in self._contexts:
            self._contexts[key] = self._laid(cell, task, count, model)
        return self._contexts[key]

    def _laid(self, cell: Cell, task: Task, count: int, model: TextModel) -> Context:
        room = max(0, model.positions - cell.budget.max_length) if model.positions else None
        examples = demonstrations(task, self.parts(cell, task).train, count, cell.seed)
        try:
            context = lay_context(self._special(model), self.tokens, task, examples, cell.budget.max_length, room)
        except UsageError as error:
            raise UsageError(f"{cell.label} on {task.name}, model {cell.model!r}: {error}") from None
        context = replace(context, dropped=count - context.laid)
        if context.dropped:
            where = f"{cell.label} on {task.name}, model {cell.model}, seed {cell.seed}"
            lacking = f"{context.laid} of {count} demonstrations laid; there is no room or no train row for the others"
            warnings.warn(f"{where}: {lacking}", stacklevel=2)
        return context


def _parts_key(cell: Cell) -> tuple[object, ...]:
    """Cells of equal keys have the same examples."""
    split = cell.streams.get("split")
    return (cell.suite, cell.task, cell.data_path, cell.protocol, cell.budget, cell.stage, split)
