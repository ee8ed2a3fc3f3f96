"""Adapters that PEFT injects into the backbone's own modules (package `peft`, imported when one is asked for)."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.model.attachment import Attachment
from bench.model.backbone import Backbone
from bench.model.prompts import Prompts
from bench.task import Task

ADAPTER = "default"  # PEFT's name for the only adapter of a model
MISSING = "this method needs the package peft: pip install 'tuning-bench[peft]'"
ALL_LINEAR = "all-linear"
UNKNOWN_STEPS = 2**31  # until a lane says how many it takes
NO_DEFAULT = "specify `target_modules`"  # what PEFT says for a family it has no targets for


class Injected(Attachment):
    """What PEFT adds to the parts that the task's scores come from, for methods that put modules into the model.

    `config` is a PeftConfig (`peft_config`), which PEFT completes for the model (`target_modules`). UsageError with
    PEFT's reason when it cannot be injected into this model, for instance because no module is named as it wants.
    Stored is all that was added. The added modules stay, so that the backbone is its alone: the method
    `changes_weights`, or what it adds cannot be done by row (bench.model.row_adapter).

    An adapter's own dropout is on while a step's prompts are made with gradients, and drawn by row, like the backbone's
    (bench.model.inner_dropout).
    """

    def __init__(self, backbone: Backbone, task: Task, config: Any) -> None:
        super().__init__()
        self.config = config
        ids_before = {id(tensor) for _, tensor in _tensors(backbone.model)}
        reached = backbone.reached(task)
        root = reached[0] if len(reached) == 1 else backbone.base
        unreached = [name for name, _ in root.named_modules() if not backbone.family.reaches(f"{name}.weight")]
        if unreached and not getattr(config, "exclude_modules", True):
            config.exclude_modules = unreached
        tuner = _inject(root, config)
        self._tuner = [tuner]  # in a list, so that its parameters do not become this module's; some tuners hold state
        self._weights = {name: weight for name, weight in backbone.model.named_parameters() if weight.requires_grad}
        if not self._weights:
            raise UsageError(f"{_name(config)} leaves nothing to train in the model ({type(root).__name__})")
        # what does not train but must be kept too: masks, random projections
        added = {name: tensor for name, tensor in _tensors(backbone.model) if id(tensor) not in ids_before}
        self._kept: dict[str, Tensor] = {**added, **self._weights}
        self._parts = list(_adapter_parts(root))
        modules = (module for part in self._parts for module in part.modules())
        self.drops_inside = any(type(module).__name__.endswith("Dropout") for module in modules)

    @property
    def exportable(self) -> bool:
        """Whether the adapter is whole in the model's own modules, as PEFT's files have it."""
        return not getattr(self._tuner[0], "uses_shared_state", False)

    def make(self) -> Prompts:
        training = torch.is_grad_enabled()
        for part in self._parts:
            part.train(training)
        return Prompts()

    def weights(self) -> dict[str, nn.Parameter]:
        return self._weights

    def stored(self) -> dict[str, Tensor]:
        """All that PEFT added, what does not train (masks, random projections) too."""
        return {name: tensor.detach().clone() for name, tensor in self._kept.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in self._kept.items():
                tensor.copy_(tensors[name])
        self.rest()
        self._restored = Prompts()

    def rest(self) -> None:
        """Drop nothing out, whatever gradients are on."""
        for part in self._parts:
            part.eval()


def peft_config(fields: Mapping[str, Any]) -> Any:
    """The PeftConfig of these fields, `peft_type` among them; UsageError for what this version of PEFT knows not."""
    try:
        import peft
    except ImportError:
        raise UsageError(MISSING) from None
    classes = peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING
    kind, kinds = str(fields.get("peft_type")), {str(peft_type.value) for peft_type in classes}
    if kind not in kinds:
        names = ", ".join(sorted(kinds))
        raise UsageError(f"peft {peft.__version__} has no type {kind!r}; it has {names}")
    config_fields = dict(fields)
    if any(config_field.name == "total_step" for config_field in dataclasses.fields(classes[peft.PeftType(kind)])):
        config_fields["total_step"] = UNKNOWN_STEPS
    try:
        return peft.get_peft_config(config_fields)
    except (TypeError, ValueError) as error:
        raise UsageError(f"PEFT refuses the {kind} config: {_line(error)}") from None


def default_targets(backbone: Backbone, peft_type: str) -> list[str] | str | None:
    """The modules that PEFT has for the model's family, or a pattern of their names; an empty list where it knows none,
    None where it asks for none.
    """
    from peft.utils import constants

    family_targets = getattr(constants, f"TRANSFORMERS_MODELS_TO_{peft_type}_TARGET_MODULES_MAPPING", None)
    targets = None if family_targets is None else family_targets.get(_model_type(backbone), [])
    return targets if targets is None or isinstance(targets, str) else sorted(targets)


def _inject(root: nn.Module, config: Any) -> Any:
    """The tuner that has put its layers into the module."""
    from peft import inject_adapter_in_model
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING

    tuner_class: Any = PEFT_TYPE_TO_TUNER_MAPPING.get(config.peft_type)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # settings that PEFT mends by itself, like the layout of GPT-2's weights
            # inject_adapter_in_model would throw away a tuner that holds state or has a part in every step
            if getattr(tuner_class, "uses_shared_state", False) or hasattr(tuner_class, "update_and_allocate"):
                return tuner_class(root, config, adapter_name=ADAPTER)
            inject_adapter_in_model(config, root, ADAPTER)
            return tuner_class
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError) as error:
        where = f"the model ({type(root).__name__})"
        hint = "; it has no default for this family, so name the modules" if NO_DEFAULT in str(error) else ""
        raise UsageError(f"PEFT cannot inject {_name(config)} into {where}: {_line(error)}{hint}") from None


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers, each once."""
    yield from model.named_parameters()
    yield from model.named_buffers()


def _adapter_parts(root: nn.Module) -> Iterator[nn.Module]:
    """The modules that PEFT added beside the backbone's own."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for layer in root.modules():
        if isinstance(layer, BaseTunerLayer):
            yield from (part for name, part in layer.named_children() if name != "base_layer")


def _model_type(backbone: Backbone) -> str:
    return str(getattr(backbone.model.config, "model_type", ""))


def _name(config: Any) -> str:
    return str(getattr(config.peft_type, "value", config.peft_type))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
