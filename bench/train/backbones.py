"""The model in use, loaded once for the cells that can share it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from bench.errors import with_memory_to
from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.proof import proving_seconds
from bench.model.ranks import ALONE, Ranks
from bench.model.source import find_model
from bench.resolved import ResolvedCell
from bench.train.groups import Group
from bench.train.memory import check_memory, gathers_half
from bench.train.options import Options
from bench.train.shares import Shares


class Backbones:
    """A shared one, which is frozen, is kept while cells share it; one that is changed serves a single cell."""

    def __init__(self, options: Options, ranks: Ranks = ALONE) -> None:
        self._options, self._ranks = options, ranks
        self._shared: tuple[tuple[str, str], Backbone] | None = None
        self._shares = Shares()
        self._proved: set[str] = set()  # models whose proof has been divided

    def expect(self, cells: Iterable[ResolvedCell]) -> None:
        """Note the cells that will come: what loading takes is divided among those that share it."""
        for resolved in cells:
            for thing in (resolved.cell.model_fingerprint, _loaded(resolved)):
                self._shares.use(thing, [resolved.cell.id])

    def seconds(self, cell_id: str) -> float:
        """A cell's part of what loading its backbone, and in this process proving its model, has taken."""
        return self._shares.of(cell_id)

    def of(self, group: Group) -> Backbone:
        """The backbone that cells train on. UsageError when it does not fit the device, or cannot be loaded."""
        resolved = group.cells[0]
        cell = resolved.cell
        key = (cell.model_path, cell.precision)
        if self._shared and self._shared[0] == key and group.shared:
            return self._shared[1]
        self.drop()  # two copies of a large model would not fit everywhere
        self.expect([resolved])
        begun = time.perf_counter()
        options, proved_before = self._options, proving_seconds(cell.model_fingerprint)
        device, others = options.device, options.others if group.shared or not self._ranks.alone else ()
        check_memory([resolved], device, 1, options.token_budget, options.checkpointing, group.shared, others)
        model = find_model(cell.model_path)
        if self._ranks.alone:
            backbone = load_backbone(model, device, cell.precision, group.shared, options.checkpointing, others)
        else:
            from bench.model.sharded_loading import load_sharded  # with torch's distributed part, which few need

            with with_memory_to(f"load model {model.path}"):
                half = gathers_half(resolved.method)
                backbone = load_sharded(model, self._ranks, cell.precision, options.checkpointing, half)
        if group.shared:
            self._shared = (key, backbone)
        proving = proving_seconds(cell.model_fingerprint)
        self._shares.spend(_loaded(resolved), time.perf_counter() - begun - (proving - proved_before))
        if cell.model_fingerprint not in self._proved:
            self._proved.add(cell.model_fingerprint)
            self._shares.spend(cell.model_fingerprint, proving)
        return backbone

    def drop(self) -> None:
        """Forget it, so that the next cell gets a fresh one."""
        self._shared = None


def _loaded(resolved: ResolvedCell) -> tuple[str, ...]:
    """What is loaded for a cell: a frozen backbone that cells share, or one of its own."""
    cell = resolved.cell
    own = (cell.id,) if resolved.method.changes_weights else ()
    return (cell.model_path, cell.precision, *own)
