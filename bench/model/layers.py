"""A model's layers, whatever its family calls them, and whether they may run compiled (bench.model.compiled)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


_uncompiled = 0  # blocks that are open


@contextmanager
def uncompiled(wanted: bool = True) -> Iterator[None]:
    """Within the block layers run as they are, compiled or not: for what compiled code would not see."""
    global _uncompiled
    _uncompiled += wanted
    try:
        yield
    finally:
        _uncompiled -= wanted


def may_run_compiled() -> bool:
    return not _uncompiled
