"""Adafactor against the published rule, written anew, and against another implementation where the two agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bench.registry import build, find_method
from bench.train.adafactor import Adafactor
from bench.train.optim import Moved, Optimization
from bench.train.segment import Segment

RATE, DECAY, STEPS = 0.3, 1e-5, 30
PROMPT = (100, 384)  # published length; one side is below 128


def gradients(shape, steps=STEPS):
    """Heavy-tailed, some rows and columns much larger than others, as a prompt's are."""
    rng = np.random.default_rng(7)
    scale = np.ones(shape)
    for axis in range(len(shape)):
        scale = scale * rng.lognormal(size=[size if at == axis else 1 for at, size in enumerate(shape)])
    return [rng.standard_t(3, size=shape) * scale for _ in range(steps)]


def published(start, found, rate, decay, factored):
    """Parameters after each step by Shazeer and Stern's algorithms 4 (factored) and 5, in float64."""
    value, rows, columns, square = start.astype(np.float64), 0.0, 0.0, 0.0
    for number, gradient in enumerate(found, start=1):
        beta = 1 - number**-0.8
        squared = gradient**2 + 1e-30
        if factored:
            rows = beta * rows + (1 - beta) * squared.sum(axis=-1)
            columns = beta * columns + (1 - beta) * squared.sum(axis=-2)
            second = rows[..., :, None] * columns[..., None, :] / rows.sum(axis=-1)[..., None, None]
        else:
            second = square = beta * square + (1 - beta) * squared
        update = gradient / np.sqrt(second)
        update = update / max(1.0, float(np.sqrt((update**2).mean())))
        value = (1 - decay) * value - rate * update
        yield value.copy()


def ours(start, found, rate, decay):
    """The same in a row of three lanes, the others with other values, gradients, rates and decays."""
    shape = torch.Size(start.shape)
    segment = Segment(4, shape, (2 * rate, rate, rate))
    values, gradients = torch.randn(3, shape.numel() + 12), torch.randn(3, shape.numel() + 12)
    segment.of(values)[1] = torch.tensor(start)
    optimizer = Adafactor([segment], values, gradients)
    for number, gradient in enumerate(found, start=1):
        segment.of(gradients)[1] = torch.tensor(gradient)
        optimizer.prepare(number, [1.0, 1.0, 0.5], [0.5, decay, 0.0])
        optimizer.move()
        yield segment.of(values)[1].double().numpy().copy()


def theirs(kind, start, found, rate, **more):
    parameter = nn.Parameter(torch.tensor(start, dtype=torch.float32))
    optimizer = kind([parameter], lr=rate, **more)
    for gradient in found:
        parameter.grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()
        yield parameter.detach().double().numpy().copy()


@pytest.mark.parametrize(
    ("shape", "factored"),
    [(PROMPT, False), ((7,), False), ((127, 500), False), ((128, 128), True), ((3, 130, 140), True), ((1, 1), False)],
)
def test_every_step_is_that_of_the_published_rule(shape, factored):
    start, found = np.random.default_rng(1).normal(size=shape), gradients(shape)
    pairs = zip(ours(start, found, RATE, DECAY), published(start, found, RATE, DECAY, factored), strict=True)
    for mine, wanted in pairs:
        np.testing.assert_allclose(mine, wanted, atol=3e-5, rtol=3e-5)


@pytest.mark.parametrize("shape", [(9,), (128, 160)])
def test_vectors_and_large_matrices_move_as_with_transformers(shape):
    from transformers.optimization import Adafactor as Factored

    fixed = {"scale_parameter": False, "relative_step": False, "warmup_init": False}
    start, found = np.random.default_rng(2).normal(size=shape), gradients(shape)
    (*_, mine), (*_, others) = ours(start, found, RATE, 0.0), theirs(Factored, start, found, RATE, **fixed)
    np.testing.assert_allclose(mine, others, atol=3e-5, rtol=3e-5)


def test_a_first_step_is_the_rate_in_the_gradients_direction_for_every_number_of_a_prompt():
    """With a moment for each number g/√v is its sign; with factors it is not."""
    (gradient,) = gradients(PROMPT, steps=1)
    (value,) = ours(np.zeros(PROMPT), [gradient], RATE, 0.0)
    np.testing.assert_allclose(value, -RATE * np.sign(gradient), rtol=1e-5)


def test_a_gradient_of_zero_moves_nothing_but_by_weight_decay():
    (*_, value) = ours(np.ones((3, 4)), [np.zeros((3, 4))] * 2, RATE, 0.25)
    np.testing.assert_allclose(value, np.full((3, 4), 0.75**2))


@pytest.mark.parametrize("shape", [PROMPT, (128, 160), (3, 130, 140), (5,)])
def test_a_lane_moves_by_the_same_bits_alone_and_beside_others(shape):
    values, steps = torch.randn(3, *shape).flatten(1), [torch.randn(3, *shape).flatten(1) for _ in range(5)]
    rates, decays = (0.3, 0.01, 2.0), [0.0, 1e-3, 0.5]

    def after(lanes):
        segment = Segment(0, torch.Size(shape), tuple(rates[at] for at in lanes))
        own, gradients = values[lanes].clone(), torch.zeros(len(lanes), values.shape[1])
        optimizer = Adafactor([segment], own, gradients)
        for number, found in enumerate(steps, start=1):
            gradients.copy_(found[lanes])
            optimizer.prepare(number, [1.0 / (at + number) for at in lanes], [decays[at] for at in lanes])
            optimizer.move()
        return own

    together, turned = after([0, 1, 2]), after([2, 1, 0])
    assert torch.equal(together, turned.flip(0))
    for at in range(3):
        assert torch.equal(after([at])[0], together[at])


def test_prompt_tuning_takes_it_with_the_published_rate_and_decay():
    from bench.model.attachment import SlotPrompts

    method = build(find_method("prompt_tuning"), {})
    moved = Moved(method, SlotPrompts(torch.zeros(*PROMPT)), [nn.Identity()], 10)
    assert isinstance(Optimization([moved])._optimizer, Adafactor)
    assert [rate for _, rate in moved.groups()] == [0.3]
    assert (method.weight_decay, method.schedule, method.warmup) == (1e-5, "constant", 0.0)
