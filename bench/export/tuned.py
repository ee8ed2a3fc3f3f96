"""A finished cell on its backbone, in fp32 on the CPU, and what is written of it for others to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from bench.cell import Cell
from bench.data.slots import Slots
from bench.data.specials import Special, special
from bench.errors import UsageError
from bench.model.attachment import Attachment
from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.source import ModelSource
from bench.predicting.restored import kept_tensors, resolved_cell, same_model
from bench.resolved import ResolvedCell
from bench.store.record import Record
from bench.store.store import Store
from bench.task import SEP_MARK, SLOT_MARK

Way = Literal["adapter", "checkpoint", "weights", "head"]


@dataclass(frozen=True, eq=False)
class Tuned:
    """A cell, its stored tensors in place."""

    record: Record
    resolved: ResolvedCell
    source: ModelSource
    backbone: Backbone
    attachment: Attachment
    tensors: dict[str, Tensor]

    @property
    def with_words(self) -> bool:
        """Whether scores are the language-model head's."""
        return self.resolved.method.head == "verbalizer"

    @property
    def base_class(self) -> str:
        """The class of transformers that the cell's tensors belong to."""
        return f"AutoModelFor{self.backbone.family.words}" if self.with_words else "AutoModel"

    @property
    def form(self) -> str:
        """The form that texts are laid out by; empty where the kind lays them out itself."""
        task = self.resolved.task
        return (task.pattern if self.with_words else task.plain) or ""

    @property
    def front(self) -> int:
        """Vectors in front of the whole text."""
        return 0 if self.inside else self.slots.count

    @property
    def inside(self) -> bool:
        """Whether vectors stand inside the form."""
        return bool(self.slots.count) and self.slots.place == "pattern" and SLOT_MARK in self.form

    @property
    def slots(self) -> Slots:
        return self.resolved.method.slots()

    @property
    def around(self) -> Special:
        """What the tokenizer puts around texts."""
        return special(self.backbone.tokenizer, self.backbone.reader)

    @property
    def is_paired(self) -> bool:
        """Whether two texts are laid out, one after the other."""
        return SEP_MARK in self.form or self.resolved.task.facts.pairs_texts

    @property
    def types(self) -> tuple[int, ...]:
        """The token types that its texts have; none where the model knows none."""
        known = self.around
        if not self.backbone.has_types:
            return ()
        return tuple(sorted({*known.types, *known.ends[1]} if self.is_paired else {known.types[0], *known.ends[0]}))

    def refused(self, reason: str) -> UsageError:
        return refused(self.record.id, self.resolved.cell, reason)


@dataclass(frozen=True, eq=False)
class Written:
    """What is written of a cell besides its head: PEFT's `config` and `tensors`, or weights under the names of the base
    class. `first_position` is the first of `position_ids` where a caller must give them.
    """

    way: Way
    config: Any = None
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    first_position: int | None = None


def tuned_cell(store: Store, record: Record) -> Tuned:
    """The cell of a record. UsageError where there is nothing to export, or its model is another by now."""
    resolved = resolved_cell(record)
    if record.parameters.trained == 0:
        raise refused(record.id, resolved.cell, "nothing was trained")
    tensors = kept_tensors(store, record.id)
    if not tensors:
        raise UsageError(f"cell {record.id} kept no tensors; run it with --save-tuned into another --out")
    source = same_model(resolved)
    # not shared, so that an adapter is in the model's own modules, where PEFT's names are
    backbone = load_backbone(source, torch.device("cpu"), "fp32", frozen=False)
    attachment = resolved.method.attach(backbone, resolved.task)
    attachment.restore(tensors)
    return Tuned(record, resolved, source, backbone, attachment, tensors)


def refused(cell_id: str, cell: Cell, reason: str) -> UsageError:
    return UsageError(f"cell {cell_id} ({cell.label}) cannot be exported: {reason}; bench predict uses it as it is")
