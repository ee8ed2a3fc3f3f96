"""A first stage that several cells share: one attachment trained on several data sets, each with a head of its own.

Every batch comes from one data set, drawn in proportion to their sizes (P-tuning v2's multi-task form, Liu et al. 2022,
arXiv:2110.07602, section 3.3). Only train rows are used, without the slices held out of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.joint import stage_cells, stage_key
from bench.model.backbone import Backbone
from bench.resolved import ResolvedCell
from bench.seeds import derive
from bench.train.audience import Audience
from bench.train.lane import Lane
from bench.train.loop import Progress
from bench.train.optim import Moved, Optimization
from bench.train.options import Options
from bench.train.run_data import LaneData, RunData
from bench.train.start import Start, Trouble
from bench.train.trainable import Trainable, attach, draw_head
from bench.train.training import Training
from bench.train.watches import CHECK_AFTER


@dataclass(frozen=True)
class FirstStage:
    """What a first stage came to, and what it took; `trouble` says which data set's lane broke off, and why."""

    attachment: dict[str, Tensor]
    heads: dict[str, dict[str, Tensor]]  # by task; those that got no batch are not there
    steps: int
    tokens: int
    seconds: float
    trouble: Trouble | None = None

    def start(self, resolved: ResolvedCell) -> Start:
        """What a cell goes on with."""
        joint = resolved.method.joint(resolved.task, resolved.suite)
        head = self.heads.get(resolved.task.name) if joint is not None and joint.keep_head else None
        return Start(self.attachment, head, self.steps, self.tokens, self.seconds, self.trouble)


class FirstStages:
    """First stages, each trained once for all cells that share it."""

    def __init__(self, data: RunData, options: Options, audience: Audience) -> None:
        self._data, self._options, self._audience = data, options, audience
        self._known: dict[tuple[str, ...], FirstStage] = {}

    def start(self, resolved: ResolvedCell, backbone: Backbone) -> Start | None:
        """What a cell's first stage came to; None for a cell that has none."""
        if not resolved.cell.joint:
            return None
        key = stage_key(resolved)
        if key not in self._known:
            token_budget = self._options.tokens_for(resolved)
            with self._audience.loop([part.cell for part in stage_cells(resolved)]):
                self._known[key] = first_stage(resolved, backbone, self._data, token_budget, self._audience.step)
        return self._known[key].start(resolved)


def first_stage(
    resolved: ResolvedCell,
    backbone: Backbone,
    data: RunData,
    token_budget: int,
    tell: Callable[[Progress], None] = lambda _: None,
) -> FirstStage:
    """Train a cell's attachment on all data sets of its first stage together."""
    started = time.perf_counter()
    lanes, sequence, optimization = _lanes(resolved, backbone, data)
    training = Training(backbone, lanes, token_budget, optimization)
    trouble: Trouble | None = None
    for number, index in enumerate(sequence, start=1):
        lane = lanes[index]
        begun = time.perf_counter()
        tokens = training.step([lane])
        if training.due([lane]) or number == len(sequence):
            training.read()
        if lane.num_steps >= CHECK_AFTER:
            training.watches.check([lane])
        tell(Progress([lane], [lane.last_loss], tokens, time.perf_counter() - begun))
        ended = next((each for each in lanes if not each.running), None)
        if ended is not None:
            reason = f"in the first stage, on {ended.task.name}: {ended.reason}"
            trouble = ("diverged" if ended.status == "diverged" else "failed", reason)
            break
    return FirstStage(
        attachment=_copied(lanes[0].attachment),
        heads={lane.task.name: _copied(lane.head) for lane in lanes if lane.step},
        steps=sum(lane.step for lane in lanes),
        tokens=sum(lane.ledger.tokens for lane in lanes),
        seconds=time.perf_counter() - started,
        trouble=trouble,
    )


def _lanes(resolved: ResolvedCell, backbone: Backbone, data: RunData) -> tuple[list[Lane], list[int], Optimization]:
    """A lane per data set, over one attachment and one optimizer; and which lane each step's batch comes from."""
    method = resolved.method
    assert not method.changes_weights, "what a first stage does to the backbone would stay in it"
    parts = stage_cells(resolved)
    data_sets = [data.train_alone(part, backbone) for part in parts]
    sequence = _sequence(parts[0].cell.seed, data_sets, num_steps(resolved, data_sets))
    attachment, heads = attach(parts[0], backbone), [draw_head(part, backbone) for part in parts]
    attachment.begin(len(sequence))
    optimization = Optimization([Moved(method, attachment, heads, len(sequence))])
    lanes = [
        Lane(part, data_set, Trainable(attachment, head, sequence.count(index)))
        for index, (part, data_set, head) in enumerate(zip(parts, data_sets, heads, strict=True))
    ]
    return lanes, sequence, optimization


def num_steps(resolved: ResolvedCell, data_sets: Sequence[LaneData]) -> int:
    """Steps of the first stage: the method's own number, or the budget's: its steps, or its epochs over all rows."""
    budget = resolved.cell.budget
    joint = resolved.method.joint(resolved.task, resolved.suite)
    num_rows = sum(len(data.train) for data in data_sets)
    return (joint and joint.steps) or budget.steps or budget.epochs * math.ceil(num_rows / budget.batch_size)


def _sequence(seed: int, data_sets: Sequence[LaneData], count: int) -> list[int]:
    """Which data set each step's batch comes from."""
    sizes = torch.tensor([float(len(data.train)) for data in data_sets])
    generator = torch.Generator().manual_seed(derive("joint", seed, "sequence"))
    sequence: list[int] = torch.multinomial(sizes, count, replacement=True, generator=generator).tolist()
    return sequence


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
