"""Prefix tuning: key/value prefixes from a small network in every layer (Li and Liang 2021, arXiv:2101.00190)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from bench.model.needs import HeadKind
from bench.registry import method

from .ptv2 import PTuningV2

if TYPE_CHECKING:
    from torch import nn


@method("prefix_tuning")
class PrefixTuning(PTuningV2):
    """The prefixes of P-tuning v2 made by an MLP while training, scored through the language-model head.

    The MLP (section 4.3) is what keeps training steady; only the P finished keys and values of each layer are stored.
    """

    init_std: ClassVar[float] = 1.0  # as torch draws an embedding, which the published code leaves as it is

    length: int = Field(10, ge=1)
    reparam: Literal["none", "mlp"] = "mlp"
    learning_rate: float = 1e-3
    dropout: float = 0.0
    head: HeadKind = "verbalizer"

    # rates near 5e-5, usual for generating text with a large decoder, hardly move a frozen encoder's prefixes
    space = {"learning_rate": (1e-3, 3e-4, 3e-3), "length": (10, 5, 20, 64)}

    def network(self, hidden: int, width: int) -> nn.Module:
        from torch import nn

        encoder = super().network(hidden, width)
        for part in encoder.modules():
            if isinstance(part, nn.Linear):
                part.reset_parameters()
        return encoder
