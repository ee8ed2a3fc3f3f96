"""What every method inherits by being registered, with every head it can be asked for."""

from __future__ import annotations

import pytest

from bench.model.source import find_model
from bench.registry import build, find_method, find_suite, methods
from bench.score.evaluate import predict
from bench.train.loop import fit

RTE = find_suite("superglue").task("rte")
CASES = [(name, head) for name in methods() for head in ("linear", "verbalizer")]


def fitted(workshop, method, head, **more):
    reason = build(find_method(method), {"head": head}).unfit(RTE, find_model(str(workshop.model)))
    if reason:
        pytest.skip(reason)
    (cell,) = workshop.cells(method, settings={method: {"head": head, **more}})
    backbone = workshop.backbone(frozen=False)
    lane = workshop.lane(cell, backbone)
    fit(backbone, [lane], 300)
    return lane, backbone


def dev_scores(lane, backbone):
    (found,) = predict(backbone, [lane.scored()], 300)
    return [each.probabilities for each in found.found]


@pytest.mark.parametrize(("method", "head"), CASES)
def test_it_trains_what_it_should_and_nothing_else(workshop, method, head):
    lane, _ = fitted(workshop, method, head)
    assert (lane.status, lane.reason) == ("done", None)


@pytest.mark.parametrize(("method", "head"), CASES)
def test_what_is_stored_gives_a_fresh_backbone_the_same_scores_bit_for_bit(workshop, method, head):
    lane, backbone = fitted(workshop, method, head)
    expected, stored = dev_scores(lane, backbone), lane.stored()
    fresh = workshop.backbone(frozen=False)
    again = workshop.lane(lane.cell.model_copy(update={"seed": 99}), fresh)
    again.attachment.restore(stored)
    again.head.load_state_dict({name: stored[f"head.{name}"] for name in again.head.state_dict()})
    assert dev_scores(again, fresh) == expected


@pytest.mark.parametrize("method", list(methods()))
def test_the_space_of_trials_starts_at_the_defaults_and_holds_possible_settings(method):
    kind = methods()[method]
    default = build(kind, {})
    assert kind.space, "every method declares what --trials may draw"
    for name, values in kind.space.items():
        assert values[0] == getattr(default, name)
        for value in values:
            build(kind, {name: value})


@pytest.mark.parametrize("method", list(methods()))
def test_its_docstrings_name_a_source(method):
    module = __import__(methods()[method].__module__, fromlist=["__doc__"])
    assert "arXiv:" in module.__doc__
    assert methods()[method].__doc__
