"""The matrices of a frozen backbone in bf16: the weights of its linear layers, which autocast would make bf16 anyway.

A model class that declares them so lets a loader bring each one in bf16 where it belongs, without a copy in fp32 of the
whole model on the way. All else (embeddings, norms, biases, transformers' Conv1D) stays fp32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bench.model.quantized import QuantizedLinear


def declared(kind: Any) -> Any:
    """A class of transformers' models whose matrices are bf16 from the beginning; `undeclared` ends it.

    Not those that are tied to another weight, which stays fp32: they are left to `round_matrices`.
    """

    def begin(model: Any, *arguments: Any, **options: Any) -> None:
        kind.__init__(model, *arguments, **options)
        ties = getattr(model, "all_tied_weights_keys", {})
        tied = {*ties, *ties.values()}
        for path, part in model.named_modules():
            if isinstance(part, nn.Linear) and f"{path}.weight" not in tied:
                part.weight = _rounded(part.weight)

    # transformers knows models by their classes' names
    return type(kind.__name__, (kind,), {"__init__": begin, "__module__": kind.__module__})


def undeclared(model: Any) -> None:
    """Give a model of a declared class back its own."""
    model.__class__ = type(model).__bases__[0]


def round_matrices(model: nn.Module) -> None:
    """Make bf16 of those that are fp32 still; one that is a table too (tied embeddings) becomes a weight of its own."""
    for part in model.modules():
        if (
            isinstance(part, nn.Linear)
            and not isinstance(part, QuantizedLinear)
            and part.weight.dtype != torch.bfloat16
        ):
            part.weight = _rounded(part.weight)


def multiply_in_fp32(model: nn.Module) -> None:
    """Let linear layers make fp32 of a bf16 weight whenever they use it: exact, and one such copy at a time."""
    for part in list(model.modules()):
        if isinstance(part, nn.Linear) and part.weight.dtype == torch.bfloat16:
            parametrize.register_parametrization(part, "weight", _Float(), unsafe=True)  # the dtype changes


class _Float(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.float()


def _rounded(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach().to(torch.bfloat16), requires_grad=False)
