"""P-tuning v2: trainable key/value prefixes in every layer (Liu et al. 2022, arXiv:2110.07602, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from bench.errors import UsageError
from bench.registry import method
from bench.task import Task
from bench.tuning import Method

if TYPE_CHECKING:
    from torch import nn

    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone
    from bench.model.needs import Need
    from bench.model.source import ModelSource


@method("ptv2")
class PTuningV2(Method):
    """P trained keys and values in front of each layer's own; linear head on [CLS] or on each word.

    Of a hybrid model those of the chosen `layers` that have attention get a prefix.
    The text keeps the absolute positions it was pretrained with; `offset_positions` lets it start at position P, as
    the reference code does, and P then counts towards the model's position limit.
    """

    init_std: ClassVar[float] = 0.02  # of the prefixes, or of what goes into the reparameterisation

    usual = True

    length: int = Field(20, ge=1)  # P, prompt positions per layer
    layers: str = Field("all", pattern=r"^(all|\d+-\d+|\d+)$")  # which layers, from 1: "all", "9-12", "3" (figure 3)
    reparam: Literal["none", "mlp"] = "none"
    reparam_hidden: int = Field(512, ge=1)
    offset_positions: bool = False
    learning_rate: float = 5e-3

    space = {"learning_rate": (5e-3, 1e-2, 3e-2, 6e-2), "length": (20, 8, 64, 128)}

    @field_validator("layers")
    @classmethod
    def _in_order(cls, layers: str) -> str:
        bounds = [int(part) for part in layers.split("-")] if layers != "all" else [1]
        if bounds[0] < 1 or bounds[0] > bounds[-1]:
            raise ValueError("layers count from 1 and run upwards, like 1-4")
        return layers

    def unfit(self, task: Task, model: ModelSource) -> str | None:
        if self.bounds and model.layers and self.bounds[1] > model.layers:
            return f"{self.name}.layers={self.layers}, but model {model.name!r} has {model.layers} layers"
        reason = super().unfit(task, model)
        if reason or not model.proof:
            return reason
        if not set(self.chosen_layers(model.proof.num_layers)) & set(model.proof.layers):
            layers = ", ".join(str(layer + 1) for layer in model.proof.layers)
            return f"{self.name}.layers={self.layers}, but of model {model.name!r} only {layers} can take a prefix"
        return None

    @property
    def needs(self) -> tuple[Need, ...]:
        return (*super().needs, "prefixes")

    def positions(self) -> int:
        """Absolute positions taken besides those of the text."""
        return self.length if self.offset_positions else 0

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        import torch

        from bench.model.attachment import LayerPrefixes

        geometry = backbone.geometry
        layers = tuple(layer for layer in self.chosen_layers(geometry.layers) if layer in geometry.prefixed)
        if not layers:
            raise UsageError(f"{self.name}.layers={self.layers}: the model takes no prefixes there")
        width = len(layers) * 2 * geometry.kv_heads * geometry.head_size
        encoder = self.network(geometry.hidden, width) if self.reparam == "mlp" else None
        vectors = torch.randn(self.length, width if encoder is None else geometry.hidden) * self.init_std
        return LayerPrefixes(vectors, layers, geometry.kv_heads, geometry.head_size, encoder, self.positions())

    def network(self, hidden: int, width: int) -> nn.Module:
        """The reparameterisation: (P, hidden) -> (P, width)."""
        from bench.model.reparam import two_layer

        return two_layer(hidden, self.reparam_hidden, width)

    @property
    def bounds(self) -> tuple[int, int] | None:
        """First and last layer with a prefix, from 1; None for all."""
        if self.layers == "all":
            return None
        first, *last = map(int, self.layers.split("-"))
        return first, last[0] if last else first

    def chosen_layers(self, depth: int) -> tuple[int, ...]:
        """Indices from 0 of the layers that get a prefix in a backbone of `depth` layers."""
        first, last = self.bounds or (1, depth)
        return tuple(range(first - 1, last))
