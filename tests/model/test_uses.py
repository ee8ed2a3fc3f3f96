"""How often a pass uses a weight, and what a proof says of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.model.matrices import multiply_in_fp32, round_matrices
from bench.model.proofs import prove
from bench.model.source import find_model
from bench.model.uses import uses


@pytest.mark.parametrize("half", [False, True])
def test_every_place_counts_whatever_code_it_is_in(half):
    once, twice, beside, unused = (nn.Linear(4, 4) for _ in range(4))
    parts = nn.ModuleList([once, twice, beside, unused])
    for part in parts:
        part.weight.requires_grad_(False)  # as a frozen model has them
    if half:
        round_matrices(parts)
        multiply_in_fp32(parts)
    weights = [dict(part.named_parameters()) for part in parts]
    matrices = [named.get("weight", named.get("parametrizations.weight.original")) for named in weights]

    def work() -> list[torch.Tensor]:
        states = twice(once(torch.ones(1, 4)))
        return [twice(states), beside(states) @ beside.weight]

    assert uses(work, matrices) == [1, 2, 2, 0]
    assert not any(matrix.requires_grad for matrix in matrices)
    with torch.no_grad():
        assert uses(work, matrices) == [1, 2, 2, 0]  # proofs run without gradients


def test_nothing_is_kept_for_a_way_back():
    layer, outputs = nn.Linear(4, 4), []

    def work() -> list[torch.Tensor]:
        outputs.append(layer(torch.ones(1, 4)).exp())
        return outputs

    assert uses(work, [layer.weight]) == [1]
    with pytest.raises(TypeError):
        outputs[0].sum().backward()  # what it would need is not there


@pytest.mark.parametrize(
    ("family", "once"),
    [("bert", True), ("llama", True), ("t5", True), ("albert", False), ("deberta-v2", False)],
)
def test_a_proof_says_whether_matrices_are_used_once(family, once, folders, tmp_path):
    assert prove(find_model(str(folders(family))), torch.device("cpu")).once == once
