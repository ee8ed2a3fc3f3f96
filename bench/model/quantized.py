"""Linear layers of a frozen model in 8 or 4 bits, for backbones that are too large otherwise (package `bitsandbytes`).

The formats and their kernels are bitsandbytes': rows of int8 with a scale each (Dettmers et al. 2022, arXiv:2208.07339,
section 2.1), and blocks of 64 NF4 values whose scales are quantised again (QLoRA, Dettmers et al. 2023,
arXiv:2305.14314, section 3). The product is that of a backbone in bf16: each pass makes the matrix anew, forward and
back, and keeps nothing of it.

It is not LLM.int8()'s own product. That quantises states too, and leaves whole columns of them out where any row of the
micro-batch is large: what a row comes to would depend on the rows beside it, and the width of that part be known on the
host alone.

Shape legend: I and O a layer's input and output sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bench.cell import Precision
from bench.errors import UsageError, is_out_of_memory

BLOCK, BLOCK_OF_SCALES = 64, 256  # numbers of one scale; bitsandbytes' own of NF4


class QuantizedLinear(nn.Linear):
    """What takes the place of a linear layer: its bias as it was, its matrix in few bits, as buffers on a device.

    It is an nn.Linear, since families and PEFT look for those, but has no parameter `weight`.
    """

    def __init__(self, linear: nn.Linear) -> None:
        nn.Module.__init__(self)  # that of nn.Linear would make a matrix
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.register_parameter("bias", linear.bias)

    def matrix(self) -> Tensor:
        """(O, I) in bf16, made anew."""
        raise NotImplementedError

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """(O, I) the matrix in fp32, made anew: PEFT and some families (T5) ask it for its type and place."""
        return self.matrix().float()

    def forward(self, states: Tensor) -> Tensor:
        product: Tensor = _Product.apply(states.to(torch.bfloat16), self.matrix)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias.to(product.dtype)


class Int8Linear(QuantizedLinear):
    """A matrix in rows of int8, each with the fp32 scale of its largest number."""

    rows: Tensor
    scales: Tensor

    def __init__(self, linear: nn.Linear, device: torch.device) -> None:
        from bitsandbytes import functional

        super().__init__(linear)
        given = linear.weight.detach().to(device, torch.bfloat16)  # as nf4 has it, and as large models are published
        rows, largest, _ = functional.int8_vectorwise_quant(given.to(torch.float16))  # the only type that it takes
        self.register_buffer("rows", rows)
        self.register_buffer("scales", largest / 127)

    def matrix(self) -> Tensor:
        return self.rows.to(torch.bfloat16).mul_(self.scales[:, None])


class NF4Linear(QuantizedLinear):
    """A matrix in blocks of 4-bit numbers, each with a scale in 8 bits."""

    packed: Tensor
    scales: Tensor
    offset: Tensor
    numbers: Tensor  # the 16 that there are
    scales_of_scales: Tensor
    scale_numbers: Tensor

    def __init__(self, linear: nn.Linear, device: torch.device) -> None:
        from bitsandbytes import functional

        super().__init__(linear)
        given = linear.weight.detach().to(device, torch.bfloat16)
        packed, state = functional.quantize_4bit(given, blocksize=BLOCK, compress_statistics=True, quant_type="nf4")
        scales = {"scales": state.absmax, "offset": state.offset, "numbers": state.code}
        of_scales = {"scales_of_scales": state.state2.absmax, "scale_numbers": state.state2.code}
        for name, tensor in {"packed": packed, **scales, **of_scales}.items():
            self.register_buffer(name, tensor)

    def matrix(self) -> Tensor:
        from bitsandbytes import functional

        of_scales = functional.QuantState(
            self.scales_of_scales, code=self.scale_numbers, blocksize=BLOCK_OF_SCALES, dtype=torch.float32
        )
        state = functional.QuantState(
            self.scales, torch.Size((self.out_features, self.in_features)), self.numbers, BLOCK, "nf4", torch.bfloat16,
            self.offset, of_scales,
        )  # fmt: skip
        matrix: Tensor = functional.dequantize_4bit(self.packed, state)
        return matrix


class _Product(torch.autograd.Function):
    """states · matrixᵀ, in which the matrix is made again for the backward pass instead of being kept for it."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, matrix: Callable[[], Tensor]) -> Tensor:
        ctx.matrix = matrix
        return nn.functional.linear(states, matrix())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        return gradients @ ctx.matrix(), None


KINDS: dict[Precision, type[Int8Linear] | type[NF4Linear]] = {"int8": Int8Linear, "nf4": NF4Linear}


def quantize(layers: Iterable[nn.Module], precision: Precision, device: torch.device | None) -> None:
    """Put a model's linear layers within these of its layers into few bits, one matrix after the other, on the device
    or where each lies.

    What stands outside of layers, embeddings and the language-model head, stays as it is, as does everything in them
    that is no nn.Linear. UsageError where there is nothing to do, or bitsandbytes does not run on the device.
    """
    kind, number = KINDS[precision], 0
    for layer in layers:
        for place in list(layer.modules()):
            for name, part in list(place.named_children()):
                if isinstance(part, nn.Linear) and _is_plain(part):
                    setattr(place, name, _quantized(kind, part, precision, device or part.weight.device))
                    number += 1
    if not number:
        raise UsageError(f"--precision {precision}: the model's layers have no matrices that can be quantised")


def check_kernels(precision: Precision, device: torch.device) -> None:
    """UsageError where bitsandbytes does not run on the device."""
    _quantized(KINDS[precision], nn.Linear(BLOCK, 1), precision, device)


def _is_plain(part: nn.Linear) -> bool:
    """Whether a layer multiplies with its matrix and adds its bias; some of a family's own do more (a router)."""
    if type(part) is nn.Linear:
        return True
    states = torch.eye(4, part.in_features, dtype=part.weight.dtype, device=part.weight.device)
    with torch.no_grad():
        given = part(states)
    return isinstance(given, Tensor) and torch.equal(given, nn.functional.linear(states, part.weight, part.bias))


def _quantized(
    kind: type[Int8Linear] | type[NF4Linear], linear: nn.Linear, precision: Precision, device: torch.device
) -> QuantizedLinear:
    try:
        return kind(linear, device)
    except (ImportError, RuntimeError, NotImplementedError) as error:  # no kernels for this version of CUDA
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"--precision {precision}: bitsandbytes does not run on {device}: {reason}") from error
