"""Residual prompt tuning: each prompt vector plus what a shared MLP makes of it (Razdaibiedina et al. 2023,
arXiv:2305.03937, section 3).

A plugin as somebody else would write it: one file, and nothing of this package but its public face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bench import HeadKind, Method, Slots, Task, method

if TYPE_CHECKING:  # attachments bring torch, which a plan does without
    from torch import nn

    from bench import Attachment, Backbone


@method("residual_prompts")
class ResidualPrompts(Method):
    """P vectors in front of the input, each through one shared MLP with a skip connection; verbalizer head.

    Vectors begin as embeddings of tokens drawn from the vocabulary. The MLP may have a learning rate of its own; it is
    not kept.
    """

    length: int = Field(10, ge=1)  # P
    bottleneck: int = Field(32, ge=1)  # width between the MLP's two layers
    mlp_learning_rate: float | None = Field(None, gt=0)  # default: the learning rate
    learning_rate: float = 0.03
    dropout: float = 0.0
    head: HeadKind = "verbalizer"

    space = {"learning_rate": (0.03, 0.1, 0.01), "length": (10, 20)}

    def slots(self) -> Slots:
        return Slots(self.length, "front")

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        import torch

        from bench import SlotPrompts

        table = backbone.word_embeddings  # (V, H)
        drawn = torch.randint(len(table), (self.length,)).to(table.device)
        encoder = residual(table.shape[1], self.bottleneck)
        return SlotPrompts(table[drawn].clone(), encoder, self.mlp_learning_rate)


def residual(width: int, bottleneck: int) -> nn.Module:
    """(P, H) -> (P, H): down, ReLU, up and LayerNorm, added to what goes in."""
    from torch import Tensor, nn

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mlp = nn.Sequential(
                nn.Linear(width, bottleneck), nn.ReLU(), nn.Linear(bottleneck, width), nn.LayerNorm(width)
            )

        def forward(self, vectors: Tensor) -> Tensor:
            changes: Tensor = self.mlp(vectors)
            return vectors + changes

    return Residual()
