"""Rows gather what is their lane's, their gradients come back in order, and sums have one order."""

from __future__ import annotations

import math

import pytest
import torch

from bench.data.batches import collate
from bench.data.rows import Item, Row
from bench.model.dropout import row_draws
from bench.model.prefixes import row_prefixes, slot_vectors
from bench.model.prompts import Prompts
from bench.model.rows import rows_of, summed
from bench.model.stacked import Stacked

OWNERS = torch.tensor([2, 0, 0, 3, 1, 0])


def test_each_row_has_its_owners_values_and_gradients_are_added_to_its_owners():
    values, gradients, given = torch.randn(4, 2, 3), torch.ones(4, 2, 3), torch.randn(6, 2, 3)
    rows = rows_of(values, gradients, OWNERS)
    assert torch.equal(rows, values[OWNERS])
    (rows * given).sum().backward()
    expected = torch.ones(4, 2, 3)
    for owner, gradient in zip(OWNERS.tolist(), given, strict=True):
        expected[owner] += gradient
    assert torch.equal(gradients, expected)


def test_without_gradients_nothing_is_added():
    values, gradients = torch.randn(4, 3), torch.zeros(4, 3)
    with torch.no_grad():
        assert not rows_of(values, gradients, OWNERS).requires_grad
    assert not rows_of(values, None, OWNERS).requires_grad
    assert not gradients.any()


def test_a_row_that_is_dropped_out_has_the_gradient_of_what_is_kept():
    values, gradients, given = torch.randn(4, 50), torch.zeros(4, 50), torch.randn(6, 50)
    draws = row_draws(torch.arange(6), torch.tensor([0.0, 0.3, 0.9, 0.0, 0.5, 0.1], dtype=torch.float64), "x")
    rows = rows_of(values, gradients, OWNERS, draws, part=3)
    keep = draws.multipliers((50,), 3)
    assert torch.equal(rows, values[OWNERS] * keep)
    (rows * given).sum().backward()
    expected = torch.zeros(4, 50)
    for owner, gradient in zip(OWNERS.tolist(), given * keep, strict=True):
        expected[owner] += gradient
    assert torch.equal(gradients, expected)


@pytest.mark.parametrize("split", [1, 2, 5])
def test_a_lanes_gradient_has_the_same_bits_however_its_rows_are_divided_and_beside_whom(split):
    """Rows of another lane in between, and micro-batches that end anywhere."""
    torch.manual_seed(0)
    given = torch.randn(40, 33) * torch.logspace(-4, 4, 40)[:, None]

    def gradient(owners, numbers, size):
        total = torch.zeros(int(owners.max()) + 1, 33)
        for part in numbers.split(size):
            rows = rows_of(torch.zeros_like(total), total, owners[part])
            (rows * given[part]).sum().backward()
        return total[0]

    mine = torch.arange(0, 40, 2)
    assert torch.equal(
        gradient(torch.zeros(40, dtype=torch.long), mine, 100),
        gradient(torch.arange(40) % 2, torch.arange(40), split),
    )


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 31, 100])
def test_a_sum_has_the_same_bits_with_zeros_appended_and_for_any_number_of_lanes(count):
    torch.manual_seed(count)
    values = torch.randn(5, count) * torch.logspace(-3, 3, count)
    sums = summed(values)
    torch.testing.assert_close(sums.double(), values.double().sum(dim=1), rtol=1e-5, atol=1e-4)
    assert torch.equal(summed(torch.cat([values, torch.zeros(5, 3 * count + 1)], dim=1)), sums)
    assert torch.equal(summed(values.T, dim=0), sums)
    for lane in range(5):
        assert torch.equal(summed(values[lane : lane + 1])[0], sums[lane])
    assert torch.equal(summed(values[..., None].expand(-1, -1, 3))[:, 2], sums)


def test_a_sum_of_nothing_is_0_and_one_with_a_number_that_is_none_is_none():
    assert summed(torch.zeros(2, 0)).tolist() == [0.0, 0.0]
    assert math.isnan(summed(torch.tensor([[1.0, math.nan, 2.0]]))[0])


def batch_of(owners, seeds):
    item = Item(0, (Row([1, 2, 3], [0] * 3, [0], [0]),), [0], [0], False)
    return collate([item] * len(owners), 0, torch.device("cpu"), owners, seeds)


def test_layers_of_prefixes_are_dropped_out_by_draws_of_their_own_and_rates_are_the_lanes():
    prompts = [Prompts(prefixes=torch.ones(2, 2, 3, 40, 5), layers=(0, 4)) for _ in range(2)]
    stacked = Stacked(prompts, rates=(0.5, 0.0), trains=True)
    found = row_prefixes(batch_of([0, 1, 0], [3, 3, 4]), stacked)
    assert set(found.keys) == {0, 4}
    parts = [part for layer in (0, 4) for part in (found.keys[layer], found.values[layer])]
    for at, part in enumerate(parts):
        assert (part[1] == 1).all()
        assert {0.0, 2.0} == set(part[0].unique().tolist())
        assert not torch.equal(part[0], part[2])
        assert not any(torch.equal(part[0], other[0]) for other in parts[:at])
    with torch.no_grad():
        assert all((part == 1).all() for part in row_prefixes(batch_of([0, 1], [3, 3]), stacked).keys.values())


def test_gradients_are_carried_to_what_the_values_were_made_of_and_cleared():
    sources = [torch.randn(1, 4, requires_grad=True) for _ in range(2)]
    prompts = [Prompts(slots=3 * source) for source in sources]
    stacked = Stacked(prompts, trains=True)
    slot_vectors(batch_of([1, 0, 1], [0] * 3), stacked).sum().backward()
    stacked.carry(prompts, [])
    assert [source.grad.tolist() for source in sources] == [[[3.0] * 4], [[6.0] * 4]]
    stacked.clear()
    assert not any(gradients.any() for gradients in stacked.gradients.values())
    stacked.load([Prompts(slots=torch.full((1, 4), float(at))) for at in (5, 6)])
    assert slot_vectors(batch_of([1, 0], [0, 0]), stacked)[..., 0].tolist() == [[6.0], [5.0]]


def test_nobody_is_all_zeros():
    stacked = Stacked([Prompts(slots=torch.ones(1, 4))] * 2)
    assert stacked.values["slots"][2].tolist() == [[0.0] * 4]


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(3,), (2, 4, 6, 16), (1, 1025), (5, 2048)])
@pytest.mark.parametrize("dropped", [False, True])
def test_a_gpus_kernels_give_what_a_processor_does(shape, dropped):
    """Rows to the bit, and gradients that are added one after another, of 70 rows of 5 lanes and nobody."""
    torch.manual_seed(0)
    values, given = torch.randn(6, *shape), torch.randn(70, *shape)
    owners, found = torch.arange(70) * 3 % 6, []
    rates = torch.tensor([0.1, 0.0, 0.5, 0.9, 0.3, 0.0], dtype=torch.float64)
    for device in ("cpu", "cuda"):
        where = owners.to(device)
        draws = row_draws(torch.arange(70, device=device), rates.to(device)[where], "prompt") if dropped else None
        gradients = torch.ones(6, *shape, device=device)
        rows = rows_of(values.to(device), gradients, where, draws, part=2)
        torch.autograd.backward(rows, given.to(device))
        found.append((rows.detach().cpu(), gradients.cpu()))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("count", [1, 3, 100, 1000])
def test_a_gpus_sum_has_the_bits_of_a_processors(count):
    values = torch.randn(5, count) * torch.logspace(-3, 3, count)
    assert torch.equal(summed(values.cuda()).cpu(), summed(values))
