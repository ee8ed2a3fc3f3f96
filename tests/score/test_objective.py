"""Losses against torch's own, what is competing with what, and that padding is nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from bench.data.batches import collate
from bench.data.cutting import Shape
from bench.data.rows import Item, Row
from bench.score.kind import kind_of
from bench.score.objective import item_losses, item_scores, num_terms
from bench.task import Source, Task

COMMON = {"source": Source(), "metrics": ("accuracy",)}
CLASSES = Task(name="a", kind="classification", plain="{x}", classes=("a", "b", "c"), **COMMON)
TAGS = Task(name="d", kind="tagging", classes=("B-X", "I-X", "O"), **COMMON)
CHOICE = Task(name="b", kind="choice", plain="{x} {choice}", **COMMON)
SPAN = Task(name="c", kind="span", source=Source(), metrics=("f1",))
REGRESSION = Task(name="e", kind="regression", source=Source(), plain="{x}", metrics=("pearson",))
CPU = torch.device("cpu")


def item(targets: list[float], reads: list[int]) -> Item:
    """`reads`: positions read of each of its rows."""
    rows = tuple(Row([1] * max(count, 1), [0] * max(count, 1), [], list(range(count))) for count in reads)
    return Item(0, rows, targets, list(range(len(targets))), False)


def losses(task: Task, scores: torch.Tensor, *items: Item, shape: Shape | None = None) -> torch.Tensor:
    """The loss of each item from the scores (B, K, C) of their rows, one after another."""
    kind, batch = kind_of(task), collate(items, 0, CPU, shape=shape)
    return item_losses(kind, batch, *item_scores(kind, batch, scores))[: len(items)]


def choice(*targets: int) -> Item:
    return item(list(targets), [1] * len(targets))


def test_the_loss_of_classes_is_cross_entropy_over_classes():
    scores = torch.randn(3, 1, 3)
    found = losses(CLASSES, scores, item([2], [1]), item([0], [1]), item([1], [1]))
    torch.testing.assert_close(found, cross_entropy(scores[:, 0], torch.tensor([2, 0, 1]), reduction="none"))


def test_the_loss_of_tags_is_summed_over_a_rows_words():
    scores = torch.randn(2, 3, 3)
    found = losses(TAGS, scores, item([2, 0, 1], [3]), item([1], [1]))
    first = cross_entropy(scores[0], torch.tensor([2, 0, 1]), reduction="sum")
    torch.testing.assert_close(found, torch.stack([first, cross_entropy(scores[1, :1], torch.tensor([1]))]))


def test_the_loss_of_a_choice_is_cross_entropy_over_its_candidates():
    scores = torch.randn(5, 1, 1)
    found = losses(CHOICE, scores, choice(0, 1), choice(1, 0, 0))
    parts = scores[:2, 0, 0], scores[2:, 0, 0]
    wanted = [cross_entropy(part[None], torch.tensor([at])) for part, at in zip(parts, (1, 0), strict=True)]
    torch.testing.assert_close(found, torch.stack(wanted))


def test_several_right_candidates_share_the_probability():
    scores = torch.randn(3, 1, 1)
    shares = scores[:, 0, 0].softmax(0)
    torch.testing.assert_close(losses(CHOICE, scores, choice(1, 0, 1))[0], -(shares[0] + shares[2]).log())


def test_the_loss_of_a_span_is_the_mean_of_its_starts_and_its_ends():
    scores = torch.randn(2, 5, 2)
    # bit 0 marks the start, bit 1 the end
    found = losses(SPAN, scores, item([0, 1, 0, 2], [4]), item([3, 0, 0, 0, 0], [5]))
    wanted = [cross_entropy(scores[0, :4].T, torch.tensor([1, 3])), cross_entropy(scores[1].T, torch.tensor([0, 0]))]
    torch.testing.assert_close(found, torch.stack(wanted))


def test_an_item_without_a_right_position_adds_nothing_and_no_gradient_is_lost():
    scores = torch.randn(4, 1, 1, requires_grad=True)
    found = losses(CHOICE, scores, choice(0, 0), choice(1, 0))
    found.sum().backward()
    assert found[0].item() == 0.0
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[:2].abs().max() < 1e-7
    assert scores.grad[2:].abs().min() > 0


def test_a_loss_that_is_no_number_is_not_hidden():
    scores = torch.tensor([[[math.nan]], [[0.0]]])
    assert not math.isfinite(float(losses(CHOICE, scores, choice(1, 0)).sum()))


def test_a_candidate_scores_the_mean_over_its_tokens():
    kind, batch = kind_of(CHOICE), collate([item([0, 1], [1, 3])], 0, CPU)
    scores = torch.tensor([[5.0, 8.0, 8.0], [1.0, 2.0, 6.0]])[..., None]
    found, given = item_scores(kind, batch, scores)
    assert found[0].tolist() == [[5.0], [3.0]]
    assert given[0].tolist() == [True, True]


@pytest.mark.parametrize(
    ("task", "items"),
    [
        (CLASSES, [item([2], [1]), item([0], [1])]),
        (TAGS, [item([2, 0, 1], [3]), item([1], [1])]),
        (CHOICE, [choice(0, 1), choice(1, 0, 0)]),
        (CHOICE, [item([0, 1], [2, 3]), item([1, 0, 0], [1, 3, 2])]),
        (SPAN, [item([0, 1, 0, 2], [4]), item([3, 0, 0, 0, 0], [5])]),
        (REGRESSION, [item([3.0], [1]), item([0.5], [1])]),
    ],
)
def test_more_padding_changes_no_bit_of_a_loss_or_gradient_and_empty_rows_have_none(task, items):
    """Whatever the scores of padding are."""
    num_rows, most = sum(len(each.rows) for each in items), max(len(row.read) for each in items for row in each.rows)
    width = max(len(each.rows) for each in items)
    exact, wide = (torch.full((rows, read, task.columns), 1e4) for rows, read in ((num_rows, most), (num_rows + 3, 9)))
    at = 0
    for each in items:
        for row in each.rows:
            exact[at, : len(row.read)] = wide[at, : len(row.read)] = torch.randn(len(row.read), task.columns)
            at += 1
    found = []
    for scores, shape in ((exact, None), (wide, Shape(num_rows + 3, 12, 0, 9, width if width == 1 else 4))):
        scores.requires_grad_()
        of_items = losses(task, scores, *items, shape=shape)
        of_items.sum().backward()
        found.append((of_items.detach(), scores.grad[:num_rows, :most]))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    assert wide.grad[num_rows:].eq(0).all()
    assert found[0][0].isfinite().all()


@pytest.mark.parametrize(("task", "terms"), [(CLASSES, 3), (CHOICE, 1), (SPAN, 1)])
def test_terms_are_what_a_batchs_loss_is_the_mean_of(task, terms):
    assert num_terms(task, item([0, 0, 1], [3])) == terms
