"""Losses against torch's own, and what is competing with what."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from bench.data.batches import ReadPositions
from bench.data.cutting import Ticket
from bench.data.rows import Item, Row
from bench.score.objective import item_losses, item_scores, num_terms
from bench.task import Source, Task

COMMON = {"source": Source(), "metrics": ("accuracy",)}
CLASSES = Task(name="a", kind="classification", plain="{x}", classes=("a", "b", "c"), **COMMON)
CHOICE = Task(name="b", kind="choice", plain="{x} {choice}", **COMMON)
SPAN = Task(name="c", kind="span", source=Source(), metrics=("f1",))


def item(targets: list[int], reads: list[int] | None = None) -> Item:
    rows = tuple(Row([1], [0], [], list(range(count))) for count in reads or [len(targets)])
    return Item(0, rows, targets, list(range(len(targets))), False)


def test_the_loss_of_classes_is_cross_entropy_over_classes():
    scores = torch.randn(3, 3)
    loss = item_losses(CLASSES, scores, [1, 1, 1], [item([2]), item([0]), item([1])]).sum()
    torch.testing.assert_close(loss, cross_entropy(scores, torch.tensor([2, 0, 1]), reduction="sum"))


def test_the_loss_of_a_choice_is_cross_entropy_over_its_candidates():
    scores = torch.randn(5, 1)
    loss = item_losses(CHOICE, scores, [2, 3], [item([0, 1]), item([1, 0, 0])]).sum()
    parts = scores[:2, 0], scores[2:, 0]
    wanted = sum(cross_entropy(part[None], torch.tensor([at])) for part, at in zip(parts, (1, 0), strict=True))
    torch.testing.assert_close(loss, wanted)


def test_several_right_candidates_share_the_probability():
    scores = torch.randn(3, 1)
    loss = item_losses(CHOICE, scores, [3], [item([1, 0, 1])]).sum()
    shares = scores[:, 0].softmax(0)
    torch.testing.assert_close(loss, -(shares[0] + shares[2]).log())


def test_the_loss_of_a_span_is_the_mean_of_its_starts_and_its_ends():
    scores = torch.randn(9, 2)
    items = [item([0, 1, 0, 2]), item([3, 0, 0, 0, 0])]  # bit 0 marks the start, bit 1 the end
    loss = item_losses(SPAN, scores, [4, 5], items).sum()
    first, second = scores[:4].T, scores[4:].T
    wanted = cross_entropy(first, torch.tensor([1, 3])) + cross_entropy(second, torch.tensor([0, 0]))
    torch.testing.assert_close(loss, wanted)


def test_an_item_without_a_right_position_adds_nothing_and_no_gradient_is_lost():
    scores = torch.randn(4, 1, requires_grad=True)
    item_losses(CHOICE, scores, [2, 2], [item([0, 0]), item([1, 0])]).sum().backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[:2].abs().max() < 1e-7
    assert scores.grad[2:].abs().min() > 0


def test_a_loss_that_is_no_number_is_not_hidden():
    scores = torch.tensor([[math.nan], [0.0]])
    assert not math.isfinite(float(item_losses(CHOICE, scores, [2], [item([1, 0])]).sum()))


def test_a_candidate_scores_the_mean_over_its_tokens():
    tickets = [Ticket(0, item([0, 1], [1, 3]))]
    reading = ReadPositions(tickets, *[torch.zeros(4)] * 3, per_row=[1, 3], per_item=[4])
    scores, counts = item_scores(CHOICE, reading, torch.tensor([[5.0], [1.0], [2.0], [6.0]]))
    assert (scores.tolist(), counts) == ([[5.0], [3.0]], [2])


@pytest.mark.parametrize(("task", "terms"), [(CLASSES, 3), (CHOICE, 1), (SPAN, 1)])
def test_terms_are_what_a_batchs_loss_is_the_mean_of(task, terms):
    assert num_terms(task, item([0, 0, 1])) == terms
