"""A second tree of modules over a backbone's own weights: what is done to the tree is not done to the backbone."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from bench.model.backbone import Backbone


class Twin:
    """A backbone whose modules are copies and whose parameters are new ones over the same memory.

    Parameters that are not fp32 are fp32 zeros without memory until `fill`, so that what is built beside them is fp32
    too.
    """

    def __init__(self, backbone: Backbone) -> None:
        memo: dict[int, object] = {id(buffer): buffer for buffer in backbone.model.buffers()}
        self._blank: list[tuple[nn.Parameter, Tensor]] = []
        for weight in backbone.model.parameters():
            values = weight.detach()
            if values.dtype != torch.float32:
                values = torch.zeros((), device=weight.device).expand(weight.shape)
            memo[id(weight)] = parameter = nn.Parameter(values, requires_grad=False)
            if values.dtype != weight.dtype:
                self._blank.append((parameter, weight.detach()))
        model = copy.deepcopy(backbone.model, memo)
        self.backbone = Backbone(
            model, backbone.tokenizer, backbone.device, backbone.precision, backbone.family, backbone.proof
        )
        self.backbone.devices, self.backbone.layer_devices = backbone.devices, backbone.layer_devices

    def fill(self) -> None:
        """Give every parameter its value; the twin can run from now on."""
        for parameter, weight in self._blank:
            parameter.data = weight
