"""Tensors under the dotted names that they have in a model, as a module's own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class NamedTensors(nn.Module):
    """Copies of some tensors in fp32 on a device; those in `trained` are parameters, the others buffers."""

    def __init__(self, tensors: Mapping[str, Tensor], trained: Mapping[str, object], device: torch.device) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            *path, last = name.split(".")
            place: nn.Module = self
            for part in path:
                if part not in place._modules:
                    place.add_module(part, nn.Module())
                place = place.get_submodule(part)
            copied = tensor.detach().to(device, torch.float32, copy=True)
            if name in trained:
                place.register_parameter(last, nn.Parameter(copied))
            else:
                place.register_buffer(last, copied)
