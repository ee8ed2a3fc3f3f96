"""A first stage that several cells share: one attachment trained on several data sets, each with a head of its own.

Every batch comes from one data set, drawn in proportion to their sizes (P-tuning v2's multi-task form, Liu et al. 2022,
arXiv:2110.07602, section 3.3). Only train rows are used, without the slices held out of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bench.cell import Cell
from bench.model.backbone import Backbone
from bench.registry import build, find_method, find_suite
from bench.seeds import derive
from bench.train.lane import Lane
from bench.train.loop import CHECK_AFTER, Progress, Watches, take_step
from bench.train.optim import build_optimizer, build_schedule
from bench.train.room import DataRoom
from bench.tuning import Method


@dataclass(frozen=True)
class Start:
    """What a first stage came to, and what it took; `trouble` says which data set's lane broke off, and why."""

    attachment: dict[str, Tensor]
    heads: dict[str, dict[str, Tensor]]  # by task; those that got no batch are not there
    steps: int
    tokens: int
    seconds: float
    trouble: tuple[Literal["failed", "diverged"], str] | None = None


def joint_cells(cell: Cell) -> list[Cell]:
    """The data sets of a cell's first stage as cells, the same ones for every cell that shares it.

    They draw from a seed of their own, so that the second stage repeats neither order nor dropout of the first.
    """
    return [
        cell.changed(
            task=each.task,
            task_version=each.task_version,
            data_fingerprint=each.data_fingerprint,
            data_revision=None,
            seed=derive("joint", cell.seed),
            stage="score",
            trials=0,
            budget=cell.budget.model_copy(update={"max_length": each.max_length}),
            joint=(),
        )
        for each in cell.joint
    ]


def stage_key(cell: Cell) -> tuple[str, ...]:
    """Two cells with this in common have the same first stage."""
    return (cell.suite, cell.model_path, str(cell.data_path), *(each.id for each in joint_cells(cell)))


def first_stage(
    cell: Cell,
    backbone: Backbone,
    room: DataRoom,
    token_budget: int,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Start:
    """Train a cell's attachment on all data sets of its first stage together."""
    started = time.perf_counter()
    method: Method = build(find_method(cell.method), cell.settings)
    assert not method.changes_weights, "what a first stage does to the backbone would stay in it"
    suite = find_suite(cell.suite)
    lanes: list[Lane] = []
    for each in joint_cells(cell):
        task = suite.task(each.task)
        data = room.train_data(each, task, method, backbone.tokenizer, backbone.reader)
        lanes.append(Lane(each, method, task, backbone, data, lanes[0].attachment if lanes else None))
    sequence = _sequence(lanes, num_steps(cell, method, lanes))
    optimizer = build_optimizer(method, lanes[0].attachment, nn.ModuleList(lane.head for lane in lanes))
    schedule = build_schedule(method, optimizer, len(sequence))
    for index, lane in enumerate(lanes):
        lane.optimizer, lane.schedule, lane.num_steps = optimizer, schedule, sequence.count(index)
    watches = Watches(backbone, lanes)
    trouble: tuple[Literal["failed", "diverged"], str] | None = None
    for index in sequence:
        lane = lanes[index]
        begun = time.perf_counter()
        (tokens,) = take_step(backbone, [lane], token_budget, watches)
        lane.ledger.tokens += tokens
        if lane.num_steps >= CHECK_AFTER:
            watches.check([lane])
        tell(Progress([lane], [lane.last_loss], tokens, time.perf_counter() - begun))
        if not lane.running:
            status: Literal["failed", "diverged"] = "diverged" if lane.status == "diverged" else "failed"
            trouble = (status, f"in the first stage, on {lane.task.name}: {lane.reason}")
            break
    return Start(
        attachment=_copied(lanes[0].attachment),
        heads={lane.task.name: _copied(lane.head) for lane in lanes if lane.step},
        steps=sum(lane.step for lane in lanes),
        tokens=sum(lane.ledger.tokens for lane in lanes),
        seconds=time.perf_counter() - started,
        trouble=trouble,
    )


def num_steps(cell: Cell, method: Method, lanes: Sequence[Lane]) -> int:
    """Steps of the first stage: the method's own number, or the budget's: its steps, or its epochs over all rows."""
    suite, budget = find_suite(cell.suite), cell.budget
    asked = method.joint(suite.task(cell.task), suite)
    rows = sum(len(lane.data.train) for lane in lanes)
    return (asked and asked.steps) or budget.steps or budget.epochs * math.ceil(rows / budget.batch_size)


def start_from(lane: Lane, start: Start) -> None:
    """Let a lane begin where the first stage ended, and note what that cost."""
    suite = find_suite(lane.cell.suite)
    asked = lane.method.joint(lane.task, suite)
    lane.attachment.load_state_dict(start.attachment)
    if asked is not None and asked.keep_head and lane.task.name in start.heads:
        lane.head.load_state_dict(start.heads[lane.task.name])
    lane.ledger.joint_steps, lane.ledger.joint_tokens = start.steps, start.tokens
    lane.ledger.joint_seconds = start.seconds
    if start.trouble is not None:
        lane.fail(*start.trouble)


def _sequence(lanes: Sequence[Lane], count: int) -> list[int]:
    """Which data set each step's batch comes from."""
    sizes = torch.tensor([float(len(lane.data.train)) for lane in lanes])
    generator = torch.Generator().manual_seed(derive("joint", lanes[0].cell.seed, "sequence"))
    drawn: list[int] = torch.multinomial(sizes, count, replacement=True, generator=generator).tolist()
    return drawn


def _copied(part: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in part.state_dict().items()}
