"""How often a pass uses a weight, as the graph says that autograd makes of it, whatever code uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def used_once(work: Callable[[], Sequence[Tensor]], layers: Sequence[nn.Module]) -> bool:
    """Whether no matrix of these layers is used twice by `work`; not where that cannot be told."""
    matrices = [weight for layer in layers for weight in layer.parameters() if weight.dim() > 1]
    try:
        return bool(matrices) and max(uses(work, matrices)) < 2
    except Exception:  # it runs without gradients, and need not with them
        return False


def uses(work: Callable[[], Sequence[Tensor]], weights: Sequence[Tensor]) -> list[int]:
    """In how many places of what leads to the outputs of `work` each weight stands. Nothing is kept for a way back."""
    frozen = [weight for weight in weights if not weight.requires_grad]
    for weight in frozen:
        weight.requires_grad_(True)
    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(_nothing, _nothing):
            outputs = work()
    finally:
        for weight in frozen:
            weight.requires_grad_(False)
    counts: Counter[int] = Counter()
    left: list[Any] = [output.grad_fn for output in outputs if output.grad_fn is not None]
    seen = set(left)
    while left:
        for following, _ in left.pop().next_functions:
            if following is None:
                continue
            if hasattr(following, "variable"):  # where a leaf's gradient is added up
                counts[id(following.variable)] += 1
            elif following not in seen:
                seen.add(following)
                left.append(following)
    return [counts[id(weight)] for weight in weights]


def _nothing(saved: Any) -> Any:
    return None
