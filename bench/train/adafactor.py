"""Adafactor as prompt tuning was published with it (Lester et al. 2021, appendix; its configuration of t5x).

The rule is Shazeer and Stern 2018 (arXiv:1804.04235), algorithm 4 for large matrices and 5 for everything else, without
momentum and without scaling by the parameter. A matrix is factored only where both of its sides have 128 entries: a
prompt of 100 vectors keeps a second moment for each number. transformers' Adafactor factors every matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.model.rows import summed
from bench.train.adamw import Scales
from bench.train.segment import Segment

SMALLEST_FACTORED = 128  # entries of a side; t5x: min_dim_size_to_factor
DECAY_EXPONENT = 0.8  # the second moment's decay at step t is 1 - t^-0.8
EPSILON = 1e-30  # added to squared gradients
LARGEST_RMS = 1.0  # of an update before it is multiplied by the learning rate


class Adafactor:
    """Steps of lr · g / √v, v the decaying mean of g² or its factors, cut to a root mean square of at most lr.

    Every lane has its own learning rate and decay, and of each of its tensors a root mean square of its own. A weight
    decay is the share of a parameter lost in each step, whatever the learning rate, as in t5x.
    """

    def __init__(self, segments: Sequence[Segment], values: Tensor, gradients: Tensor) -> None:
        self._segments, self._values, self._gradients = segments, values, gradients
        self._moments = [_empty(segment.of(gradients)) for segment in segments]
        self._scales = Scales(2 + len(segments), len(values), values.device)

    def prepare(self, step: int, factors: Sequence[float], decays: Sequence[float]) -> None:
        """For a step, the first being 1, at each lane's learning rate times its factor."""
        rates = [
            [rate * factor for rate, factor in zip(segment.rates, factors, strict=True)] for segment in self._segments
        ]
        self._scales.send([[step**-DECAY_EXPONENT] * len(factors), [1 - decay for decay in decays], *rates])

    def move(self) -> None:
        """Take the step that was prepared."""
        news, kept, *rates = self._scales.values
        for segment, moments, of_segment in zip(self._segments, self._moments, rates, strict=True):
            gradients, values = segment.of(self._gradients), segment.of(self._values)
            by_lane = (-1, *[1] * len(segment.shape))
            update = gradients * _inverse_root(moments, gradients.square().add_(EPSILON), news.view(by_lane))
            rms = (summed(update.square().flatten(1)) / segment.shape.numel()).sqrt()
            update /= (rms / LARGEST_RMS).clamp(min=1.0).view(by_lane)
            values.mul_(kept.view(by_lane)).sub_(update * of_segment.view(by_lane))


def is_factored(shape: torch.Size) -> bool:
    """Whether a tensor of this shape keeps row and column means alone; of more than two sides the last two count."""
    return len(shape) >= 2 and min(shape[-2:]) >= SMALLEST_FACTORED


def _empty(gradients: Tensor) -> dict[str, Tensor]:
    if not is_factored(gradients.shape[1:]):
        return {"square": torch.zeros_like(gradients)}
    return {"rows": torch.zeros_like(gradients[..., :1]), "columns": torch.zeros_like(gradients[..., :1, :])}


def _inverse_root(moments: dict[str, Tensor], squares: Tensor, news: Tensor) -> Tensor:
    """1/√v after this step's squared gradients have come into the moments, of which they are then the share `news`."""
    if "square" in moments:
        return moments["square"].lerp_(squares, news).rsqrt()
    rows = moments["rows"].lerp_(_mean(squares, -1), news)
    columns = moments["columns"].lerp_(_mean(squares, -2), news)
    inverse: Tensor = (rows / _mean(rows, -2)).rsqrt() * columns.rsqrt()
    return inverse


def _mean(values: Tensor, dim: int) -> Tensor:
    return (summed(values, dim) / values.shape[dim]).unsqueeze(dim)
