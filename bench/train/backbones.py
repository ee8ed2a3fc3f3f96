"""The model in use, loaded once for the cells that can share it."""

from __future__ import annotations

from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.source import find_model
from bench.train.groups import Group
from bench.train.memory import check_memory
from bench.train.options import Options


class Backbones:
    """A shared one, which is frozen, is kept while cells share it; one that is changed serves a single cell."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._shared: tuple[tuple[str, str], Backbone] | None = None

    def of(self, group: Group) -> Backbone:
        """The backbone that cells train on. UsageError when it does not fit the device, or cannot be loaded."""
        resolved = group.cells[0]
        cell = resolved.cell
        key = (cell.model_path, cell.precision)
        if self._shared and self._shared[0] == key and group.shared:
            return self._shared[1]
        self.drop()  # two copies of a large model would not fit everywhere
        options = self._options
        check_memory([resolved], options.device, 1, options.token_budget, options.checkpointing, group.shared)
        model = find_model(cell.model_path)
        backbone = load_backbone(model, options.device, cell.precision, group.shared, options.checkpointing)
        if group.shared:
            self._shared = (key, backbone)
        return backbone

    def drop(self) -> None:
        """Forget it, so that the next cell gets a fresh one."""
        self._shared = None
