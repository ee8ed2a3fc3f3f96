"""Our side of a comparison: cells of RTE as lanes of one loop, until a clock has counted enough steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from typing import Any

from bench.cell import Budget, Cell, Precision
from bench.data.encode import encode
from bench.data.examples import read_examples
from bench.data.kind import LayoutSpec
from bench.data.specials import special
from bench.data.tokens import TokenStore
from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.source import find_model
from bench.registry import build, find_method
from bench.resolved import ResolvedCell
from bench.task import Source, Suite, Task
from bench.train.compiling import Compiling, decide
from bench.train.groups import Group
from bench.train.lane import Lane
from bench.train.loop import Progress, fit
from bench.train.options import Options
from bench.train.run_data import LaneData
from bench.tuning import Method
from tests.perf.rte_rows import CLASSES
from tests.perf.step_clock import StepClock

RATES = (1.0, 0.5, 2.0, 0.25)  # of a method's learning rate; none may make a lane diverge, which would leave the loop
RTE = Task(
    name="rte",
    kind="classification",
    source=Source(local=("{split}.jsonl",)),
    plain="{premise}[SEP]{hypothesis}",
    classes=CLASSES,
    metrics=("accuracy",),
)
SUITE = Suite(name="perf", tasks=(RTE,))


@dataclass(frozen=True)
class Bench:
    """Where cells run, on which rows, and with what budget; the loop is left before the budget's evaluation comes."""

    model: Path
    data: Path
    options: Options
    precision: Precision
    budget: Budget
    _encoded: dict[tuple[object, ...], LaneData] = field(default_factory=dict)

    def cells(self, name: str, settings: dict[str, Any], count: int, first_seed: int = 0) -> list[ResolvedCell]:
        """`count` cells of a method that differ in seed and learning rate, four rates to a seed, the default first."""
        rate = build(find_method(name), settings).learning_rate
        seeds = range(first_seed, first_seed + math.ceil(count / len(RATES)))
        grid = islice(product(seeds, RATES), count)
        made = [(seed, build(find_method(name), {**settings, "learning_rate": rate * share})) for seed, share in grid]
        return [ResolvedCell(self._cell(method, seed), RTE, method, SUITE) for seed, method in made]

    def _cell(self, method: Method, seed: int) -> Cell:
        return Cell(
            suite=SUITE.name,
            task=RTE.name,
            task_version=RTE.version,
            data_fingerprint="",
            model=self.model.name,
            model_fingerprint="",
            model_path=str(self.model),
            method=method.name,
            settings=method.model_dump(mode="json"),
            seed=seed,
            budget=self.budget,
            protocol="holdout",
            precision=self.precision,
        )

    def load(self, cells: Sequence[ResolvedCell]) -> Backbone:
        """A backbone for cells of one method, as the runner would load it for them."""
        frozen, options = not cells[0].method.changes_weights, self.options
        others = options.others if frozen else ()
        backbone = load_backbone(find_model(str(self.model)), options.device, self.precision, frozen, False, others)
        decide(backbone, options, Compiling(), Group(tuple(cells), shared=frozen), self)
        return backbone

    def time_steps(self, cells: Sequence[ResolvedCell], backbone: Backbone, clock: StepClock) -> list[float]:
        """Train cells of one method together until the clock has enough; the losses that were read last.

        RuntimeError where a lane ended before.
        """
        self.of(cells[0], backbone)  # encoded before the clock runs
        clock.start()

        def tell(_: Progress) -> None:
            if clock.tick():
                raise Enough

        lanes = self.train(cells, backbone, tell)
        ended = next((lane for lane in lanes if not lane.running), None)
        if ended is not None:
            raise RuntimeError(f"a lane ended as {ended.status} at step {ended.step}: {ended.reason}")
        return [lane.last_loss for lane in lanes]

    def train(self, cells: Sequence[ResolvedCell], backbone: Backbone, tell: Callable[[Progress], None]) -> list[Lane]:
        """The lanes of cells of one method, trained together until `tell`, which hears of each step, raises Enough."""
        data = self.of(cells[0], backbone)
        lanes = [Lane.alone(cell, backbone, data) for cell in cells]
        with suppress(Enough):
            fit(backbone, lanes, self.options.tokens_for(cells[0]), tell)
        return lanes

    def of(self, resolved: ResolvedCell, backbone: Backbone) -> LaneData:
        """The items of a cell, encoded once for its method."""
        method = resolved.method
        key = (method.slots(), method.head)
        if key not in self._encoded:
            self._encoded[key] = self._read(backbone, method)
        return self._encoded[key]

    def _read(self, backbone: Backbone, method: Method) -> LaneData:
        examples = read_examples(RTE, "train", self.data).examples
        known = special(backbone.tokenizer, backbone.reader)
        spec = LayoutSpec(known, TokenStore(), method.slots(), method.head == "verbalizer", self.budget.max_length)
        rows = encode(RTE, spec, examples)
        few, few_examples = rows[: self.budget.batch_size], examples[: self.budget.batch_size]  # never reached
        return LaneData(rows, few, few, examples, few_examples, few_examples)


class Enough(Exception):
    """Leaves the loop."""
