"""Masks that are extended by a prefix's columns, and which prefix a layer has."""

from __future__ import annotations

import torch
from torch import nn

from bench.model.attention import RowPrefixes, active_prefix, extended, know_layers, prefixes, reopened, running_layer

LENGTH = 2


def test_a_prefix_is_seen_whatever_the_mask_hides() -> None:
    hidden = torch.tensor([[[[False, True, False]]]])
    assert extended(hidden, LENGTH).tolist() == [[[[True, True, False, True, False]]]]
    added = torch.tensor([[[[-5.0, 0.0, -5.0]]]])
    assert extended(added, LENGTH).tolist() == [[[[0.0, 0.0, -5.0, 0.0, -5.0]]]]
    assert extended(None, LENGTH) is None


class Layer(nn.Module):
    """Says which layer runs, and whether it has a prefix."""

    def __init__(self, number: int | None = None) -> None:
        super().__init__()
        self.layer_idx = number

    def forward(self) -> tuple[int | None, bool]:
        return running_layer(), active_prefix() is not None


def of_second_layer() -> RowPrefixes:
    vectors = {1: torch.zeros(1, 1, LENGTH, 1)}
    return RowPrefixes(keys=vectors, values=vectors)


def test_a_layer_has_the_prefix_of_its_number() -> None:
    layers = [Layer(0), Layer(1)]
    know_layers(layers)
    with prefixes(of_second_layer()):
        assert [layer() for layer in layers[::-1]] == [(1, True), (0, False)]
        assert (running_layer(), active_prefix()) == (None, None)
    with prefixes(None):
        assert layers[1]() == (1, False)
    assert layers[1]() == (None, False)


def test_a_layer_without_a_number_is_counted_anew_in_every_pass() -> None:
    shared = Layer()
    know_layers([shared])
    for _ in range(2):
        with prefixes(of_second_layer()):
            assert [shared() for _ in range(3)] == [(0, False), (1, True), (2, False)]


def test_what_is_run_again_has_the_layer_and_the_prefix_that_it_had() -> None:
    class Remembering(Layer):
        def forward(self):
            return reopened(super().forward)

    layer = Remembering()
    know_layers([layer])
    with prefixes(of_second_layer()):
        runs = [layer(), layer()]
    assert [run() for run in runs[::-1]] == [(1, True), (0, False)]
