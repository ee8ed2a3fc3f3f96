"""The best weights so far: kept once, and put back at the end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch


@pytest.fixture
def lane(workshop):
    (cell,) = workshop.cells("finetune", budget={"steps": 4, "evaluations": 4})
    return workshop.lane(cell, workshop.backbone(frozen=False))


def evaluated(lane, score: float) -> dict[str, torch.Tensor]:
    """What a lane's tensors have been moved to before its next step's evaluation came to a score."""
    lane.step += 1
    with torch.no_grad():
        for tensor in lane.training_tensors().values():
            tensor.add_(1.0)
    now = {name: tensor.detach().clone() for name, tensor in lane.training_tensors().items()}
    lane.note(SimpleNamespace(scores={lane.task.main_metric: score}, loss=1.0, null_threshold=score))
    return now


def places(lane) -> list[int]:
    return [tensor.data_ptr() for tensor in lane.best.values.values()]


def assert_has(lane, expected: dict[str, torch.Tensor]) -> None:
    lane.return_to_best()
    assert lane.training_tensors().keys() == expected.keys()
    for name, tensor in lane.training_tensors().items():
        assert torch.equal(tensor, expected[name]), name


def test_a_better_point_takes_the_place_of_the_one_before(lane):
    evaluated(lane, 50.0)
    first = places(lane)
    best = evaluated(lane, 60.0)
    assert places(lane) == first
    evaluated(lane, 55.0)
    evaluated(lane, 59.0)
    assert (lane.best.step, lane.best.null_threshold) == (2, 60.0)
    assert not set(first) & {tensor.data_ptr() for tensor in lane.training_tensors().values()}
    assert_has(lane, best)
    assert lane.null_threshold == 60.0


def test_of_the_last_point_no_copy_is_made(lane):
    for score in (50.0, 40.0, 30.0):
        evaluated(lane, score)
    best = evaluated(lane, 70.0)
    assert places(lane) == [tensor.data_ptr() for tensor in lane.training_tensors().values()]
    assert_has(lane, best)
    assert lane.best.step == 4
