"""Reparameterisations: small networks that produce prompt vectors while training and are not needed afterwards."""

from __future__ import annotations

import warnings

from torch import Tensor, nn

INIT_STD = 0.02
# of an LSTM whose lanes lie in one tensor: cuDNN gathers its weights at each call, which for a prompt's few positions
# is nothing to tell a user
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")


def normal_(module: nn.Module, std: float = INIT_STD) -> nn.Module:
    """Initialise every linear layer N(0, std) with zero biases, as P-tuning v2's reference code does."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return module


def two_layer(width_in: int, hidden: int, width_out: int) -> nn.Module:
    """Linear, tanh, Linear: the "prefix projection" of prefix tuning and P-tuning v2. (P, in) -> (P, out)."""
    return normal_(nn.Sequential(nn.Linear(width_in, hidden), nn.Tanh(), nn.Linear(hidden, width_out)))


class BiLSTM(nn.Module):
    """P-tuning v1's prompt encoder (Liu et al. 2021, arXiv:2103.10385, equation 5 and its code).

    A two-layer bidirectional LSTM over the prompt positions, then Linear, ReLU, Linear: (P, H) -> (P, H).
    """

    def __init__(self, width: int, hidden: int, num_layers: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, num_layers=num_layers, dropout=dropout, bidirectional=True, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(2 * hidden, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, vectors: Tensor) -> Tensor:
        states, _ = self.lstm(vectors[None])
        mixed: Tensor = self.mlp(states)[0]
        return mixed


def relu_mlp(width: int, hidden: int) -> nn.Module:
    """P-tuning v1's MLP prompt encoder: Linear, ReLU, Linear. (P, H) -> (P, H)."""
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
