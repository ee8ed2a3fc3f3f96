"""Changes inside a frozen model that belong to rows: each row goes through its own lane's adapter.

Hooks on the changed modules do what the active `RowChanges` say, and nothing where none is active, so that the model
and its weights stay what they are. The arithmetic is PEFT's (peft.tuners: lora/layer.py, adalora/layer.py and
ia3/layer.py), its order and dtypes too, as products batched by row.

Shape legend: B rows, T tokens, N positions of a row, r rank, I and O a module's input and output sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from bench.model.sites import Bias, Change, LowRank, Scale, Sites


@dataclass(frozen=True, eq=False)
class RowChanges:
    """What a micro-batch's rows change: tensors by name, each with a value for every row (B, *shape).

    `time_first`: states are (T, B, I), as in XLNet; else their rows come first, each row's positions together.
    """

    sites: Mapping[str, Change]
    tensors: Mapping[str, Tensor]
    num_rows: int
    time_first: bool = False

    def of(self, name: str, states: Tensor) -> Tensor:
        """A tensor's values where a module's states are: a spread model has its layers on several devices."""
        return self.tensors[name].to(states.device)

    def by_row(self, states: Tensor) -> Tensor:
        """A module's states as (B, N, size). ValueError as `rows_first`."""
        return rows_first(states, self.num_rows, self.time_first)

    def laid_as(self, changed: Tensor, like: Tensor) -> Tensor:
        """(B, N, size) in the layout of a module's states; the size may be another."""
        if self.time_first and like.dim() == 3:
            return changed.transpose(0, 1)
        return changed.reshape(*like.shape[:-1], changed.shape[-1])


def rows_first(states: Tensor, num_rows: int, time_first: bool) -> Tensor:
    """A module's states as (B, N, size). ValueError for states that are not the rows' own, but shared by them."""
    if time_first and states.dim() == 3:
        states = states.transpose(0, 1)
    if len(states) % num_rows:
        raise ValueError(f"a module was given {len(states)} rows, which are not those of {num_rows} texts")
    return states.reshape(num_rows, -1, states.shape[-1])


_active: RowChanges | None = None


@contextmanager
def changed(row_changes: RowChanges | None) -> Iterator[None]:
    """Within the block the modules of a model that has hooks (`install`) do what these changes say."""
    global _active
    outer, _active = _active, row_changes
    try:
        yield
    finally:
        _active = outer


def reopened(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs `forward` with the changes that are active now, whenever it is called."""
    active = _active

    def run(*arguments: Any, **options: Any) -> Any:
        with changed(active):
            return forward(*arguments, **options)

    return run


_hooked: WeakSet[nn.Module] = WeakSet()


def install(model: nn.Module, sites: Sites) -> None:
    """Let the modules at these sites take changes; one that has been met before is left as it is."""
    for path, _ in sites:
        module = model.get_submodule(path)
        if module not in _hooked:
            _hooked.add(module)
            module.register_forward_pre_hook(_entering(path))
            module.register_forward_hook(_leaving(path))


def _entering(path: str) -> Callable[..., Any]:
    def enter(module: nn.Module, inputs: tuple[Any, ...]) -> Any:
        change = None if _active is None else _active.sites.get(path)
        if _active is None or not isinstance(change, Scale) or change.where == "out":
            return None
        return _scaled(_active, change, inputs[0]), *inputs[1:]

    enter.idle_when_compiled = True  # type: ignore[attr-defined]  # where there are changes layers run uncompiled
    return enter


def _leaving(path: str) -> Callable[..., Any]:
    def leave(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
        change = None if _active is None else _active.sites.get(path)
        if _active is None or change is None:
            return None
        if isinstance(change, LowRank):
            return _with_low_rank(_active, change, inputs[0], output)
        if isinstance(change, Bias):
            return _with_bias(_active, change, module, output)
        return _scaled(_active, change, output) if change.where == "out" else None

    leave.idle_when_compiled = True  # type: ignore[attr-defined]
    return leave


def _with_low_rank(active: RowChanges, change: LowRank, states: Tensor, output: Tensor) -> Tensor:
    down, up = active.of(change.down, states), active.of(change.up, states)  # (B, r, I), (B, O, r)
    if change.dropout and torch.is_grad_enabled():
        states = states.to(down.dtype)  # what is dropped out is scaled in fp32
        # where rows come first draws want to see it, whatever the module was given
        states = states if active.time_first else active.by_row(states)
        states = nn.functional.dropout(states, p=change.dropout)
    if change.singular is not None:
        down = down * active.of(change.singular, states)
    added = torch.matmul(torch.matmul(active.by_row(states), down.transpose(1, 2)), up.transpose(1, 2))  # (B, N, O)
    added = added * change.scaling
    if change.singular is not None:
        added = added.to(down.dtype) / change.ranks
    return (output + active.laid_as(added, output)).to(output.dtype)


def _scaled(active: RowChanges, change: Scale, states: Tensor) -> Tensor:
    scales = active.of(change.name, states).flatten(1)[:, None]  # (B, 1, size)
    return active.laid_as(active.by_row(states) * scales, states).to(states.dtype)


def _with_bias(active: RowChanges, change: Bias, module: nn.Module, output: Tensor) -> Tensor:
    own: Tensor = module.bias  # type: ignore[assignment]
    more = active.of(change.name, output) - own  # (B, O)
    return active.laid_as(active.by_row(output) + more[:, None], output).to(output.dtype)
