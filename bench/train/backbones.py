"""The model in use, loaded once for the cells that can share it."""

from __future__ import annotations

from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.source import find_model
from bench.resolved import ResolvedCell
from bench.train.memory import check_memory
from bench.train.options import Options


class Backbones:
    """A frozen one is kept while cells share it; one whose weights train serves a single cell."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._frozen: tuple[tuple[str, str], Backbone] | None = None

    def of(self, resolved: ResolvedCell) -> Backbone:
        """The backbone that a cell trains on. UsageError when it does not fit the device, or cannot be loaded."""
        cell, frozen = resolved.cell, not resolved.method.changes_weights
        key = (cell.model_path, cell.precision)
        if self._frozen and self._frozen[0] == key and frozen:
            return self._frozen[1]
        self.drop()  # two copies of a large model would not fit everywhere
        options = self._options
        check_memory([resolved], options.device, 1, options.token_budget, options.checkpointing)
        model = find_model(cell.model_path)
        backbone = load_backbone(model, options.device, cell.precision, frozen, options.checkpointing)
        if frozen:
            self._frozen = (key, backbone)
        return backbone

    def drop(self) -> None:
        """Forget it, so that the next cell gets a fresh one."""
        self._frozen = None
