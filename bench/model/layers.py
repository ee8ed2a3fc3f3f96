"""A model's layers, whatever its family calls them."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from bench.model.families.family import Family


def layers_of(model: Any, family: Family) -> list[nn.Module]:
    """Those that transformers marks; else a list as long as the config says; else those of the family's class; else
    those that know their number. No layer stands in another one. Empty where none is found.
    """
    marked: list[nn.Module] = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if marked:
        return _outermost(marked)
    count = getattr(model.config, "num_hidden_layers", 0)
    lists = (module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == count)
    of_class = [module for module in model.modules() if type(module).__name__ == family.layer_class]
    numbered = [module for module in model.modules() if isinstance(getattr(module, "layer_idx", None), int)]
    return list(next(lists, [])) or _outermost(of_class or numbered)


def _outermost(modules: list[nn.Module]) -> list[nn.Module]:
    inside = {id(part) for module in modules for part in module.modules() if part is not module}
    return [module for module in modules if id(module) not in inside]
