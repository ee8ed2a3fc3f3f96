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
    """Bytes on a device, of several on the one that takes most: the weights, what training them takes, activations.

    `between` are copies made between steps, when there are no activations: see `estimate`.
    """

    weights: int
    training: int
    activations: int
    between: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.training + max(self.activations, self.between)


@dataclass(frozen=True)
class Work:
    """What a cell does on a model: micro-batches of `tokens` tokens in rows of `length`, in this precision.

    `backward`: whether anything trains. `moments`: how many numbers the optimizer keeps for each weight of the backbone
    that trains, None where none does. `num_devices`: over how many the layers of a frozen model are spread, or the
    weights of one that trains are sharded. `copies`: whether of matrices that train products in bf16 make copies, which
    stay until the backward pass; those of a team need not (bench.model.sharded). `chooses`: whether it is evaluated
    before the end, so that the best weights so far are kept.
    """

    precision: Precision
    tokens: int
    length: int
    device: torch.device
    checkpointing: bool = False
    backward: bool = True
    moments: int | None = None
    num_devices: int = 1
    copies: bool = True
    chooses: bool = True


def estimate(sizes: Sizes, work: Work) -> MemoryNeed:
    """What the work needs on a model of these sizes.

    Training weights takes a gradient, the best weights so far unless only the last are looked at, and the optimizer's
    moments, all fp32. Between steps, the check that the right tensors train (bench.train.trained) takes three int64
    copies of the largest one, and what is stored in the end is a copy of all that has trained.

    Over several devices layers are whole, so that one of them has up to a layer more than its share of a frozen model
    and of its activations. Sharded weights that train are all divided, as a layer's (or the largest tensor) and its
    gradient are gathered while it runs; each device has micro-batches, and activations, of its own. A model in few
    bits comes to several devices in bf16, and that is counted.
    """
    trains, few = work.moments is not None, QUANTIZED.get(work.precision) if work.num_devices == 1 else None
    if trains:
        loaded, number = sizes.parameters * FLOAT, work.num_devices
        gathered = 2 * max(loaded // max(1, sizes.layers), sizes.largest * FLOAT) if number > 1 else 0
        whole = loaded if few is None else weight_bytes(sizes, half=True, in_layers=few)
        weights, training = whole // number + gathered, loaded * (1 + work.chooses + (work.moments or 0)) // number
        between = max(3 * 8 * sizes.largest, loaded) // number
        copied = work.precision == "bf16" and work.copies and not (number > 1 and work.checkpointing)
        copies = sizes.matrices * HALF if copied else 0
        return MemoryNeed(weights, training, _activations(sizes, work) + copies, between)
    weights = weight_bytes(sizes, computed_in(work.precision) == "bf16", work.num_devices, few)
    activations = round(_activations(sizes, work) * _share(sizes, work.num_devices))
    return MemoryNeed(weights, 0, activations, 3 * 8 * sizes.largest)


def weight_bytes(sizes: Sizes, half: bool, num_devices: int = 1, in_layers: float | None = None) -> int:
    """Of a model spread over devices, on the one that takes most; `half`: its matrices are bf16, but for those of
    layers where a number of them takes `in_layers` bytes.
    """
    inner = 0 if in_layers is None else sizes.inner_matrices
    outer = sizes.matrices - inner if half else 0
    whole = (sizes.parameters - inner - outer) * FLOAT + outer * HALF + inner * (in_layers or 0)
    return round(whole * _share(sizes, num_devices))


def _share(sizes: Sizes, num_devices: int) -> float:
    """The largest part of a model's layers that a device has."""
    return 1.0 if num_devices == 1 else min(1.0, 1 / num_devices + 1 / max(1, sizes.layers))


def _activations(sizes: Sizes, work: Work) -> int:
    """Kept for the backward pass of a micro-batch, as saved_tensors_hooks counts it on BERT, GPT-NeoX and Llama, the
    most of them: frozen linear layers keep no inputs, a gated feed-forward part keeps two more of its width. Where
    products are of bf16 the feed-forward part is, and of the rest what does not belong to the stream that layers add
    to; there an adapter keeps one input more.
    """
    half, trains = computed_in(work.precision) == "bf16", work.moments is not None
    width, inner = (9.5 if half else 10.5, 2) if trains else (6.0 if half else 7.5, 1)
    floats = width * sizes.hidden + (inner + 2 * sizes.gated) * sizes.inner * (HALF / FLOAT if half else 1)
    if half and work.device.type == "cpu":
        floats += sizes.heads * work.length * 2  # attention written out keeps its scores
    layers = float(sizes.layers) if work.backward else 1.0
    num_kept = work.tokens * layers * floats
    if work.checkpointing:
        num_kept = work.tokens * (layers * sizes.hidden + floats)  # each layer's input, and one layer in the making
    made = HALF * sizes.largest if work.precision in QUANTIZED else 0  # a matrix, for the length of its product
    return round(num_kept * FLOAT) + made


def default_token_budget(hidden: int, device: torch.device) -> int:
    """Tokens per micro-batch: on a CPU what keeps activations near the caches, on a GPU what keeps it busy."""
    if device.type == "cuda":
        return 16_384
    return max(512, 600_000 // max(1, hidden))
