"""What every method must do on every family, as one check: for the test, and for the table of methods × families."""

from __future__ import annotations

from typing import Any

import torch

from bench.cell import Cell
from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.source import find_model
from bench.score.evaluate import predict
from bench.train.lane import Lane
from bench.train.loop import fit
from tests.conftest import Workshop

REFUSAL = "nothing can be run: "


class Skipped(Exception):
    """A combination that the plan leaves out, with its reason."""


def check(workshop: Workshop, method: str, head: str) -> None:
    """Assert that the right tensors train and only they; that an equal cell, its activations made again in the backward
    pass, ends in the same bits; and that what is stored gives a fresh backbone the same scores. Skipped by the plan.
    """
    cell = cell_of(workshop, method, head)
    lane, backbone = trained(workshop, cell)
    expected, stored = scores(lane, backbone), lane.stored()

    equal, same = trained(workshop, cell, checkpointing=True)
    repeated = equal.stored()
    assert repeated.keys() == stored.keys()
    assert [name for name in stored if not torch.equal(stored[name], repeated[name])] == []
    assert scores(equal, same) == expected

    fresh = backbone_of(workshop)
    again = workshop.lane(cell.model_copy(update={"seed": 99}), fresh)
    again.attachment.restore(stored)
    again.head.load_state_dict({name: stored[f"head.{name}"] for name in again.head.state_dict()})
    assert scores(again, fresh) == expected


def cell_of(workshop: Workshop, method: str, head: str, **grid: Any) -> Cell:
    """The cell of a few steps."""
    budget = {"steps": 3, "evaluations": 1}
    try:
        (cell,) = workshop.cells(method, settings={method: {"head": head}}, budget=budget, **grid)
    except UsageError as reason:
        if not str(reason).startswith(REFUSAL):
            raise
        raise Skipped(str(reason).removeprefix(REFUSAL)) from None
    return cell


def backbone_of(workshop: Workshop, checkpointing: bool = False) -> Backbone:
    source = find_model(str(workshop.model))
    return load_backbone(source, torch.device("cpu"), "fp32", False, checkpointing)


def trained(workshop: Workshop, cell: Cell, checkpointing: bool = False) -> tuple[Lane, Backbone]:
    """A lane at the end of its budget, which has trained what it should."""
    backbone = backbone_of(workshop, checkpointing)
    lane = workshop.lane(cell, backbone)
    fit(backbone, [lane], 300)
    assert (lane.status, lane.reason) == ("done", None)
    return lane, backbone


def scores(lane: Lane, backbone: Backbone) -> list[Any]:
    """The probabilities of every scored example."""
    (found,) = predict(backbone, [lane.scored()], 300)
    return [each.probabilities for each in found.found]
