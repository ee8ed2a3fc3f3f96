"""What a model's arithmetic comes to: floating-point operations by its sizes, not by what a program happens to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from bench.model.backbone import Backbone
from bench.model.geometry import token_weights
from bench.task import Task


@dataclass(frozen=True)
class Network:
    """What a token of a text goes through: N `parameters`, of which some are `trained`, in L `layers` of width H."""

    parameters: float
    trained: float
    layers: int
    hidden: int


def network_of(backbone: Backbone, task: Task, trained: Iterable[nn.Parameter]) -> Network:
    """The layers that a task's head reads, with what a method has put into them.

    The tokens of an encoder–decoder go through one of its parts: where the decoder is fed the text too, a mean one
    counts; where it is fed two tokens, the encoder's.
    """
    parts = [backbone.encoder] if backbone.family.sentinel else backbone.reached(task)
    weights = [pair for part in parts for pair in token_weights(part, backbone.model.config)]
    ids = {id(weight) for weight in trained}
    return Network(
        parameters=sum(weight.numel() * uses for weight, uses in weights) / len(parts),
        trained=sum(weight.numel() * uses for weight, uses in weights if id(weight) in ids) / len(parts),
        layers=backbone.geometry.layers,
        hidden=backbone.geometry.hidden,
    )


def model_flops(network: Network, tokens: int, num_sequences: int, backward_share: float) -> float:
    """Model FLOPs of so many tokens in so many sequences (Chowdhery et al. 2022, arXiv:2204.02311, appendix B).

    Forward 2·N a token, and attention's 4·L·T·H: scores and sums over T tokens. Backward 2·N for the gradients of the
    states, 2 more for each parameter that is trained (so 4·N where all are), and 8·L·T·H: with all weights training the
    paper's 6·N + 12·L·T·H. `backward_share` of the tokens go back. T is the mean length, which is a little less than
    long rows among short ones need. Not counted are padding, activations that are made again, the head, and a prefix's
    keys, which are read but are no tokens: they are what a program or a method takes on top.
    """
    attended = 4 * network.layers * network.hidden * tokens / max(1, num_sequences)
    forward = 2 * network.parameters + attended
    backward = 2 * network.parameters + 2 * network.trained + 2 * attended
    return tokens * (forward + backward_share * backward)
