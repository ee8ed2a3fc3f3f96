"""One loop, any number of lanes."""

from __future__ import annotations

import math

import pytest
import torch

from bench.score.evaluate import predict
from bench.train.loop import fit


def trained(workshop, cells, token_budget=200):
    backbone = workshop.backbone()
    lanes = [workshop.lane(cell, backbone) for cell in cells]
    fit(backbone, lanes, token_budget)
    assert [(lane.status, lane.reason) for lane in lanes] == [("done", None)] * len(lanes)
    return lanes, predict(backbone, [lane.scored() for lane in lanes], token_budget)


def assert_same(one, other):
    for first, second in zip(one.scored_answers, other.scored_answers, strict=True):
        assert first.probabilities == pytest.approx(second.probabilities, abs=1e-5)


@pytest.mark.parametrize("method", ["ptv2", "prompt_tuning", "finetune"])
def test_micro_batches_give_the_gradient_of_the_undivided_batch(workshop, method):
    (cell,) = workshop.cells(method, settings={method: {"dropout": 0.0}})
    whole, divided = (trained(workshop, [cell], token_budget)[1][0] for token_budget in (100_000, 40))
    assert_same(whole, divided)


@pytest.mark.parametrize("method", ["ptv2", "finetune"])
def test_the_same_cell_twice_gives_the_same_numbers_bit_for_bit(workshop, method):
    (cell,) = workshop.cells(method)
    first, second = (trained(workshop, [cell])[1][0] for _ in range(2))
    assert first.scored_answers == second.scored_answers


def test_a_trained_prompt_lowers_the_loss(workshop):
    settings = {"ptv2": {"learning_rate": 0.1, "length": 20, "dropout": 0.0}}
    budget = {"steps": 60, "evaluations": 6, "batch_size": 36}
    (lane,), _ = trained(workshop, workshop.cells("ptv2", settings=settings, budget=budget), token_budget=2000)
    losses = [point.train_loss for point in lane.ledger.curve]
    assert losses[-1] < 0.7 * losses[0]


def test_a_diverging_lane_leaves_and_its_neighbour_is_untouched(workshop):
    good, bad = workshop.cells("ptv2", seeds=(0, 1))
    backbone = workshop.backbone()
    lanes = [workshop.lane(cell, backbone) for cell in (good, bad)]
    with torch.no_grad():
        lanes[1].attachment.vectors.fill_(math.nan)
    fit(backbone, lanes, 200)
    assert (lanes[1].status, lanes[1].reason) == ("diverged", "the loss was nan at step 1")
    assert lanes[0].status == "done"
    alone = trained(workshop, [good])[1][0]
    assert predict(backbone, [lanes[0].scored()], 200)[0].scored_answers == alone.scored_answers


def test_epochs_are_evaluated_one_by_one_and_steps_evenly(workshop):
    (by_epoch,) = workshop.cells("ptv2", budget={"steps": None, "epochs": 3, "evaluations": None})
    (by_step,) = workshop.cells("ptv2", budget={"steps": 7, "evaluations": 3})
    lanes, _ = trained(workshop, [by_epoch, by_step])
    assert [point.step for point in lanes[0].ledger.curve] == [5, 10, 15]  # 36 rows in batches of 8
    assert [point.epoch for point in lanes[0].ledger.curve] == [1, 2, 3]
    assert [point.step for point in lanes[1].ledger.curve] == [2, 5, 7]


def test_every_epoch_goes_through_every_row_once(workshop):
    (cell,) = workshop.cells("ptv2")
    lane = workshop.lane(cell, workshop.backbone())
    seen = [lane.data.train[number].example for _ in range(5) for number in lane.next_batch()[0]]
    assert sorted(seen) == list(range(36))


def test_the_best_point_of_the_curve_is_what_dev_is_read_with(workshop):
    (cell,) = workshop.cells("finetune", budget={"steps": 6, "evaluations": 6})
    backbone = workshop.backbone(frozen=False)
    lane = workshop.lane(cell, backbone)
    fit(backbone, [lane], 200)
    best = max(point.scores["accuracy"] for point in lane.ledger.curve)
    predictions = predict(backbone, [lane.selection()], 200)[0]
    assert predictions.scores["accuracy"] == best


def test_paper_protocol_selects_on_dev_and_trains_on_all_of_train(workshop):
    (holdout,) = workshop.cells("ptv2")
    (paper,) = workshop.cells("ptv2", protocol="paper")
    lanes = [workshop.lane(cell, workshop.backbone()) for cell in (holdout, paper)]
    assert [(len(lane.data.train), len(lane.data.selection)) for lane in lanes] == [(36, 4), (40, 12)]
    assert lanes[1].data.selection_examples == lanes[1].data.scored_examples
