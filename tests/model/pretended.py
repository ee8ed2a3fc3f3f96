"""Two devices on a machine that has one: tensors on the CPU of which each is held to be somewhere, and never mixed.

What torch's functions are given must lie in one place, as on GPUs, and what they give lies there too; `.to` moves. The
numbers are a processor's own, so that a model that is spread can be held against one that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

HOME, AWAY = torch.device("cpu", 0), torch.device("cpu", 1)


class Mixed(AssertionError):
    """A function was given tensors of both devices."""


class Pretended(TorchFunctionMode):
    """Within it tensors say where they are held to be. Those that nothing is known of are at home."""

    def __init__(self) -> None:
        super().__init__()
        self._places: Any = WeakTensorKeyDictionary()
        self._memory: dict[int, torch.device] = {}  # of weights, which other tensors may share
        self.moves = 0

    def lay(self, model: nn.Module, places: Mapping[str, torch.device]) -> None:
        """Let a model's weights be at these places, by names of its parts."""
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            part = max((part for part in places if not part or f"{name}.".startswith(f"{part}.")), key=len)
            self._memory[tensor.untyped_storage().data_ptr()] = places[part]

    def of(self, tensor: Tensor) -> torch.device:
        with torch._C.DisableTorchFunction():
            memory = tensor.untyped_storage().data_ptr()
        place: torch.device = self._places.get(tensor) or self._memory.get(memory, HOME)
        return place

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        options = dict(options or {})
        if function == torch.Tensor.device.__get__:
            return self.of(arguments[0])
        if function is torch.Tensor.to:
            return self._to(*arguments, **options)
        if function == torch.Tensor.data.__set__:
            self._places[arguments[0]] = self.of(arguments[1])
            return function(*arguments, **options)
        given = {self.of(tensor) for tensor in tensors_of((arguments, options)) if tensor.dim()}
        if len(given) > 1 and function is not torch._has_compatible_shallow_copy_type:
            raise Mixed(f"{function} of tensors on both devices")
        result = function(*arguments, **options)
        place = next(iter(given), _known(options.get("device")) or HOME)
        for tensor in tensors_of(result):
            self._places[tensor] = place
        return result

    def _to(self, tensor: Tensor, *arguments: Any, **options: Any) -> Tensor:
        like = arguments and isinstance(arguments[0], Tensor)
        named = {name: value for name, value in options.items() if name != "copy"}
        asked = self.of(arguments[0]) if like else torch._C._nn._parse_to(*arguments, **named)[0]
        result = tensor.to(*arguments, **options)
        place = _known(asked) or self.of(tensor)
        if place != self.of(tensor):
            self.moves += 1
            result = result.clone() if result is tensor else result
        if result is not tensor:
            self._places[result] = place
        return result


def _known(device: torch.device | str | None) -> torch.device | None:
    """AWAY, or HOME by whatever name."""
    return None if device is None else AWAY if torch.device(device) == AWAY else HOME


def tensors_of(value: Any) -> Iterator[Tensor]:
    """The tensors in lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_of(part)
    elif isinstance(value, dict):
        yield from tensors_of(list(value.values()))
