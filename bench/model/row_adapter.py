"""PEFT's adapters beside a frozen model instead of in it: each row goes through its own lane's (package `peft`)."""

from __future__ import annotations

import dataclasses
from typing import Any

from torch import Tensor, nn

from bench.errors import CannotShare
from bench.model.attachment import Attachment
from bench.model.backbone import Backbone
from bench.model.injected import ADAPTER, Injected
from bench.model.named_tensors import NamedTensors
from bench.model.plain_adapters import is_plain
from bench.model.prompts import Prompts
from bench.model.sharing import ChangedModel, check_sharing
from bench.model.sites import Change, LowRank, Scale, Sites
from bench.model.twin import Twin
from bench.task import Task

DESCRIPTIVE = {"task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"}  # change no number


class RowAdapter(Attachment):
    """What Injected puts into a model, trained beside one that lanes share.

    PEFT builds it inside a twin of the backbone, so that targets, initial values and scaling are its own; what is
    stored is what Injected stores. UsageError as there. CannotShare for what is no addition or scaling of a row
    (bench.model.plain_adapters), and where the model cannot be changed by row.
    """

    def __init__(self, backbone: Backbone, task: Task, config: Any) -> None:
        super().__init__()
        if not is_plain(_given(config)):
            raise CannotShare("this configuration of PEFT is no addition or scaling of a row")
        self.config = config
        twin = Twin(backbone)
        injected = Injected(twin.backbone, task, config)
        self.sites = _sites(twin.backbone.model, injected)
        weights = _trained(injected)
        self.adapter = NamedTensors(injected.stored(), weights, backbone.device)
        self.drops_inside = any(isinstance(change, LowRank) and change.dropout > 0 for _, change in self.sites)
        twin.fill()
        injected.rest()
        check_sharing(backbone, task, self.sites, ChangedModel(twin.backbone, weights))

    def make(self) -> Prompts:
        return Prompts(changes=dict(self.adapter.named_parameters()), sites=self.sites)

    def stored(self) -> dict[str, Tensor]:
        constants = {name: tensor.detach().clone() for name, tensor in self.adapter.named_buffers()}
        return {**constants, **super().stored()}


def _given(config: Any) -> dict[str, Any]:
    """The fields of a PeftConfig that are not as they are by default."""
    given = {}
    for field in dataclasses.fields(config):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        value = getattr(config, field.name)
        if field.name not in DESCRIPTIVE and value != default:
            given[field.name] = value
    return {**given, "peft_type": getattr(config.peft_type, "value", config.peft_type)}


def _trained(injected: Injected) -> dict[str, nn.Parameter]:
    """What trains, without AdaLoRA's counts of ranks, which no gradient reaches; some versions of PEFT mark them."""
    counts = f".ranknum.{ADAPTER}"
    return {name: weight for name, weight in injected.weights().items() if not name.endswith(counts)}


def _sites(model: nn.Module, injected: Injected) -> Sites:
    """What PEFT's layers in a model do. CannotShare for a layer of another kind, and what trains outside of them."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = ((path, module) for path, module in model.named_modules() if isinstance(module, BaseTunerLayer))
    sites = tuple((path, _change(path, layer)) for path, layer in layers)
    served = {name for _, change in sites for name in change.names}
    left = [name for name in _trained(injected) if name not in served]
    if left:
        raise CannotShare(f"{left[0]} belongs to no layer that adds to a row or scales it")
    return sites


def _change(path: str, layer: Any) -> Change:
    from peft.tuners import adalora, ia3, lora

    if type(layer) is ia3.layer.Linear:
        return Scale(f"{path}.ia3_l.{ADAPTER}", "in" if layer.is_feedforward else "out")
    if type(layer) is lora.layer.Linear and not layer.lora_variant and not any(layer.lora_bias.values()):
        down, up = (f"{path}.{name}.{ADAPTER}.weight" for name in ("lora_A", "lora_B"))
        return LowRank(down, up, float(layer.scaling[ADAPTER]), _rate(layer))
    if type(layer) is adalora.layer.SVDLinear:
        down, up, singular = (f"{path}.{name}.{ADAPTER}" for name in ("lora_A", "lora_B", "lora_E"))
        ranks = float(layer.ranknum[ADAPTER] + 1e-5)  # PEFT's own guard against no ranks
        return LowRank(down, up, float(layer.scaling[ADAPTER]), _rate(layer), singular, ranks)
    raise CannotShare(f"{path} has a layer of PEFT that is no addition or scaling of a row ({type(layer).__name__})")


def _rate(layer: Any) -> float:
    return float(getattr(layer.lora_dropout[ADAPTER], "p", 0.0))
