"""The five sizes of the family, and how one that begins with fewer layers is made deeper.

Twelve layers did not learn to attend to neighbours from nothing: after 240 million tokens at a rate of 3e-4 their loss
on held-out articles was 5.67 nats, where two layers reach 3.88. So `base` is stacked as Gong et al. (2019, Efficient
training of BERT by progressively stacking, section 4) have it: 3 layers, then 6, then 12, each time copies on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import BertConfig, BertForMaskedLM

from tests.perf.family_text import POSITIONS

LAYER = "bert.encoder.layer."


@dataclass(frozen=True)
class Size:
    """A member of the family, and how fast it is pretrained. `grown` are (share of the steps, layers until then)."""

    layers: int
    hidden: int
    learning_rate: float
    grown: tuple[tuple[float, int], ...] = ()

    def config(self, num_tokens: int, num_layers: int) -> BertConfig:
        return BertConfig(
            vocab_size=num_tokens, num_hidden_layers=num_layers, hidden_size=self.hidden,
            num_attention_heads=self.hidden // 64, intermediate_size=4 * self.hidden,
            max_position_embeddings=POSITIONS, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )  # fmt: skip

    def layers_at(self, step: int, num_steps: int) -> int:
        """How many layers train at a step."""
        return next((layers for share, layers in self.grown if step < share * num_steps), self.layers)

    def rate_of(self, num_layers: int) -> float:
        """Fewer layers learn faster: by the root of how many times fewer."""
        return self.learning_rate * (self.layers / num_layers) ** 0.5


SIZES = {
    "tiny": Size(2, 128, 2e-3),
    "mini": Size(4, 256, 1.5e-3),
    "small": Size(4, 512, 1e-3),
    "medium": Size(8, 512, 6e-4),
    "base": Size(12, 768, 4e-4, grown=((0.125, 3), (0.3, 6))),
}


@torch.no_grad()
def stack(lower: BertForMaskedLM, deeper: BertForMaskedLM) -> None:
    """Give `deeper` the weights of `lower`: its layers over and over, all else as it is."""
    weights = lower.state_dict()
    num_layers = lower.config.num_hidden_layers
    for name, value in deeper.state_dict().items():
        if name.startswith(LAYER):
            layer, rest = name.removeprefix(LAYER).split(".", 1)
            name = f"{LAYER}{int(layer) % num_layers}.{rest}"
        value.copy_(weights[name])
