"""What a cell needs of a device's memory, before anything is loaded.

The estimate counts weights, the training state of methods that change them, and the activations of one micro-batch.
What prompts, adapters and heads need besides is small beside these, and left to the margin.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.cell import Precision
from bench.model.precisions import QUANTIZED, computed_in
from bench.model.sizes import Sizes

MARGIN = 0.05  # share of the free memory that is left to the allocator's gaps, prompts, heads and the data
FLOAT, HALF = 4, 2  # bytes


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes on the device: the weights, what training them takes, activations; `loading` is the peak of loading.

    `between` are copies made between steps, when there are no activations: see `estimate`.
    """

    weights: int
    training: int
    activations: int
    loading: int
    between: int = 0

    @property
    def total(self) -> int:
        return max(self.loading, self.weights + self.training + max(self.activations, self.between))


@dataclass(frozen=True)
class Work:
    """What a cell does on a model: micro-batches of `tokens` tokens in rows of `length`, in this precision.

    `backward`: whether anything trains. `moments`: how many numbers the optimizer keeps for each weight of the backbone
    that trains, None where none does.
    """

    precision: Precision
    tokens: int
    length: int
    device: torch.device
    checkpointing: bool = False
    backward: bool = True
    moments: int | None = None


def estimate(sizes: Sizes, work: Work) -> MemoryNeed:
    """What the work needs on a model of these sizes.

    Training weights takes a gradient, the best weights so far, and the optimizer's moments, all fp32. Between steps,
    the check that the right tensors train (bench.train.trained) takes three int64 copies of the largest one, and what
    is stored in the end is a copy of all that has trained.
    """
    trains, loaded = work.moments is not None, sizes.parameters * FLOAT
    weights, loading = _weights(sizes, work), loaded
    if work.precision in QUANTIZED and work.device.type != "cpu":  # they come to the device one after the other
        loading = weights + HALF * sizes.largest
    training = 0 if work.moments is None else loaded * (2 + work.moments)
    # Kept for the backward pass of a token in a layer, as saved_tensors_hooks counts it on BERT, GPT-NeoX and Llama:
    # frozen linear layers keep no inputs, a gated feed-forward part keeps two more of its width.
    width, inner = (10.5, 2) if trains else (7.5, 1)
    floats = width * sizes.hidden + (inner + 2 * sizes.gated) * sizes.inner
    if computed_in(work.precision) == "bf16" and work.device.type == "cpu":
        floats += sizes.heads * work.length * 2  # attention written out keeps its scores
    layers = float(sizes.layers) if work.backward else 1.0
    num_kept = work.tokens * layers * floats
    if work.checkpointing:
        num_kept = work.tokens * (layers * sizes.hidden + floats)  # each layer's input, and one layer in the making
    between = max(3 * 8 * sizes.largest, loaded if trains else 0)
    made = HALF * sizes.largest if work.precision in QUANTIZED else 0  # a matrix, for the length of its product
    return MemoryNeed(weights, training, round(num_kept * FLOAT) + made, loading, between)


def _weights(sizes: Sizes, work: Work) -> int:
    """Bytes of a model's weights as they lie on the device while it works."""
    frozen = work.moments is None
    in_few_bits = sizes.inner_matrices if work.precision in QUANTIZED else 0
    in_halves = sizes.matrices - in_few_bits if frozen and computed_in(work.precision) == "bf16" else 0
    whole = sizes.parameters - in_few_bits - in_halves
    return round(whole * FLOAT + in_halves * HALF + in_few_bits * QUANTIZED.get(work.precision, 0))


def default_token_budget(hidden: int, device: torch.device) -> int:
    """Tokens per micro-batch: on a CPU what keeps activations near the caches, on a GPU what keeps it busy."""
    if device.type == "cuda":
        return 16_384
    return max(512, 600_000 // max(1, hidden))
