"""Cells, backbones and lanes of one model over one suite, as a run makes them, for checks that look inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cell import Cell
from bench.check.finding import Broken, Skipped
from bench.errors import CannotShare, NothingToTrain, UsageError
from bench.plan.cells import plan
from bench.request import RunRequest
from bench.resolved import resolve

if TYPE_CHECKING:
    from bench.model.backbone import Backbone
    from bench.train.lane import Lane
    from bench.train.run_data import RunData

NOTHING = "nothing can be run: "  # how a plan says that it has no cell
TOKENS = 300  # a micro-batch: small, so that a step has several
BUDGET: dict[str, Any] = {
    "steps": 3,
    "batch_size": 4,
    "max_length": 32,
    "evaluations": 1,
    "train_rows": 24,
    "scored_rows": 8,
}


@dataclass(frozen=True)
class Trained:
    """A lane at the end of its budget, and the backbone it trained on."""

    lane: Lane
    backbone: Backbone

    def scores(self) -> list[Any]:
        """The probabilities of every scored example, or its number."""
        from bench.score.evaluate import predict

        (predictions,) = predict(self.backbone, [self.lane.scored()], TOKENS)
        answers = predictions.scored_answers
        return [answer.value if answer.value is not None else answer.probabilities for answer in answers]


class Rig:
    """One model, one suite and its data. `settings` are per method, on top of the suite's own."""

    def __init__(
        self,
        suite: str,
        model: str,
        data: Path | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.suite, self.model, self.data, self.settings = suite, model, data, settings or {}
        self._cells: dict[tuple[object, ...], tuple[Cell, ...] | Skipped] = {}
        self._run_data: RunData | None = None
        self._last: Trained | None = None

    def cells(self, method: str, task: str, *, seeds: Sequence[int] = (0,), **settings: Any) -> tuple[Cell, ...]:
        """A cell per seed. Skipped when the plan leaves the combination out, with its reason."""
        key = (method, task, tuple(seeds), *sorted(settings.items()))
        if key not in self._cells:
            self._cells[key] = self._planned(method, task, seeds, settings)
        cells = self._cells[key]
        if isinstance(cells, Skipped):
            raise cells
        return cells

    def _planned(
        self, method: str, task: str, seeds: Sequence[int], settings: Mapping[str, Any]
    ) -> tuple[Cell, ...] | Skipped:
        request = RunRequest(
            suite=self.suite, tasks=(task,), methods=(method,), models=(self.model,), seeds=tuple(seeds),
            set={method: {**self.settings.get(method, {}), **settings}}, data=self.data, **BUDGET,
        )  # fmt: skip
        try:
            return plan(request, "fp32").cells
        except UsageError as reason:
            if not str(reason).startswith(NOTHING):
                raise
            return Skipped(str(reason).removeprefix(NOTHING))

    def backbone(self, shared: bool, checkpointing: bool = False) -> Backbone:
        """A fresh one, for lanes to share or for one to change."""
        import torch

        from bench.model.loading import load_backbone
        from bench.model.source import find_model

        return load_backbone(find_model(self.model), torch.device("cpu"), "fp32", shared, checkpointing)

    def lanes(self, cells: Sequence[Cell], checkpointing: bool = False) -> tuple[list[Lane], Backbone]:
        """The cells' lanes over one fresh backbone; a cell that cannot share it has one alone, as in a run.

        CannotShare where that is one of many.
        """
        if not resolve(cells[0]).method.changes_weights:
            backbone = self.backbone(shared=True, checkpointing=checkpointing)
            try:
                return [self.lane(cell, backbone) for cell in cells], backbone
            except CannotShare:
                if len(cells) > 1:
                    raise
        backbone = self.backbone(shared=False, checkpointing=checkpointing)
        return [self.lane(cell, backbone) for cell in cells], backbone

    def lane(self, cell: Cell, backbone: Backbone) -> Lane:
        """The cell's lane before its first step, after its first stage if it has one."""
        from bench.train.joint import first_stage
        from bench.train.lane import Lane
        from bench.train.run_data import RunData

        resolved = resolve(cell)
        data = self._run_data = self._run_data or RunData()
        start = first_stage(resolved, backbone, data, TOKENS).start(resolved) if cell.joint else None
        return Lane.alone(resolved, backbone, data.of(resolved, backbone), start)

    def trained(self, cell: Cell, *, checkpointing: bool = False, beside: Cell | None = None) -> Trained:
        """The cell at the end of its budget, perhaps in one loop with another. Broken when it did not train right.

        The last one that was alone is kept: several checks ask about one training.
        """
        if checkpointing or beside:
            return self._train(cell, checkpointing, beside)
        if self._last is None or self._last.lane.cell.id != cell.id:
            self._last = self._train(cell, checkpointing, beside)
        return self._last

    def _train(self, cell: Cell, checkpointing: bool, beside: Cell | None) -> Trained:
        from bench.train.loop import fit

        try:
            lanes, backbone = self.lanes([member for member in (cell, beside) if member is not None], checkpointing)
        except NothingToTrain as reason:
            raise Skipped(str(reason)) from None
        fit(backbone, lanes, TOKENS)
        lane = lanes[0]
        if lane.status != "done":
            raise Broken(f"{lane.status}: {lane.reason}")
        return Trained(lane, backbone)
