"""Compiled layers: each layer's forward pass through torch.compile, one piece of code for all layers of a model.

A layer's weights, states and prefix (bench.model.attention) are inputs of the code, rows and tokens are of any number.
So it is made once for passes with gradients and once for those without; where layers differ (every second one has a
window), once for each kind of layer. Before code is used for the first time it is held against the layers as they are:
states and gradients of a micro-batch of fixed size. That is also what it is made on, as kernels are laid out for the
sizes that are seen first: what they round then does not depend on what a process happened to run before.

Whatever does not work leaves the layers as they are, with one warning; no cell fails of it.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bench.model import attention
from bench.model.attention import LayerForward, RowPrefixes
from bench.model.compile_trial import difference, like
from bench.model.layers import layers_of, may_run_compiled

if TYPE_CHECKING:
    from bench.model.backbone import Backbone

MOST_KINDS = 64  # pieces of code of a process; torch gives up after 8, which two models can reach
FIXED: dict[str, str | int | bool | Callable[..., Any]] = {
    "deterministic": True,  # no kernel is chosen by its time, where that can change what it rounds
    "max_autotune": False,
    "coordinate_descent_tuning": False,
    "shape_padding": False,  # chosen by time as well
    "emulate_precision_casts": True,  # round where the layers as they are round: in bf16 after each operation
}

_seconds = 0.0  # of this process, spent in compiling
_begun: float | None = None


def compile_seconds() -> float:
    """Wall time that this process has spent so far in compiling layers, trying their code and capturing graphs."""
    return _seconds


def compile_layers(backbone: Backbone, dynamic: bool = True) -> int:
    """Let the layers of a backbone's encoder run compiled; returns how many they are, 0 where there is none.

    Code is made when the first micro-batch of its kind comes. `backbone.compiled` says whether it is in use. Without
    `dynamic` there is a piece of code for each number of rows and tokens.
    """
    inside = {id(module) for module in backbone.encoder.modules()}
    layers = [layer for layer in layers_of(backbone.model, backbone.family) if id(layer) in inside]
    layers = [layer for layer in layers if isinstance(layer.forward, LayerForward)]
    try:
        _settle()
        compiled = _Compiled(backbone, layers, dynamic)
    except (ImportError, RuntimeError) as error:  # no compiler for this Python, or this platform
        warnings.warn(f"layers run uncompiled: {_line(error)}", stacklevel=2)
        return 0
    if layers:
        backbone.compiled, backbone.before_pass = True, compiled.ready
    return len(layers)


def undo(backbone: Backbone) -> None:
    """Let the layers run as they are again."""
    for module in backbone.encoder.modules():
        if isinstance(module.forward, LayerForward) and isinstance(module.forward.inner, _LayerCode):
            module.forward.inner = module.forward.inner.eager
    backbone.compiled, backbone.before_pass = False, None


class _Compiled:
    """The compiled layers of one backbone, and for which kinds of passes they have been tried."""

    def __init__(self, backbone: Backbone, layers: Sequence[nn.Module], dynamic: bool) -> None:
        self.backbone = backbone
        self._tried: set[tuple[int, bool, bool]] = set()
        self._trying = False

        def run(layer: nn.Module, *arguments: Any, **options: Any) -> Any:
            return type(layer).forward(layer, *arguments, **options)

        # not every version has all of them
        options = {name: value for name, value in FIXED.items() if hasattr(torch._inductor.config, name)}
        code = torch.compile(run, dynamic=dynamic, fullgraph=True, options=options)
        for layer in layers:
            assert isinstance(layer.forward, LayerForward)
            layer.forward.inner = _LayerCode(layer, layer.forward.inner, code, self)

    def ready(self, prefixes: RowPrefixes | None, rows: int) -> None:
        """Before a pass with these prefixes and so many rows: try the code that it will use, if it has not been.

        Where the pass is one in which layers run as they are, there is nothing to try.
        """
        if self._trying or not self.backbone.compiled or not may_run_compiled() or _overridden():
            return
        lengths = {0}
        if prefixes is not None:
            length = next(iter(prefixes.keys.values())).shape[2]
            bare = len(prefixes.keys) < len(self.backbone.geometry.prefixed)  # some layers have none
            lengths = {like(length), *([0] if bare else [])}
        for length in lengths:
            kind = (length, torch.is_grad_enabled(), rows == 1)
            if kind not in self._tried:
                self._tried.add(kind)
                self._try(length, rows == 1)

    def give_up(self, reason: str) -> None:
        undo(self.backbone)
        warnings.warn(f"layers run uncompiled: {reason}", stacklevel=2)

    def _try(self, length: int, alone: bool) -> None:
        self._trying = True
        try:
            with compiling():
                wrong = difference(self.backbone, length, alone)
        except Exception as error:  # compilers break in ways of their own
            self.give_up(_line(error))
        else:
            if wrong:
                self.give_up(wrong)
        finally:
            self._trying = False


class _LayerCode:
    """A layer's forward pass: its code, or as it is where code cannot do what is asked."""

    def __init__(self, layer: nn.Module, eager: Callable[..., Any], code: Callable[..., Any], whole: _Compiled) -> None:
        self.layer, self.eager, self.code, self.whole = layer, eager, code, whole

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy of a layer is not compiled."""
        return copy.deepcopy(self.eager, memo)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if not may_run_compiled() or _overridden() or self._hooked():
            return self.eager(*arguments, **options)
        try:
            return self._run(*arguments, **options)
        except torch._dynamo.exc.TorchDynamoException as error:
            self.whole.give_up(_line(error))
            return self.eager(*arguments, **options)

    def _run(self, *arguments: Any, **options: Any) -> Any:
        """Whether gradients are wanted of the states is not to make another piece of code: where they are wanted of
        anything, they are wanted of the states too, and where of nothing, it is a pass without gradients.
        """
        if not torch.is_grad_enabled():
            return self.code(self.layer, *arguments, **options)
        if not self._trains(*arguments, **options):
            with torch.no_grad():
                return self.code(self.layer, *arguments, **options)
        if arguments and isinstance(arguments[0], Tensor):
            arguments = (_with_gradients(arguments[0]), *arguments[1:])
        elif isinstance(options.get("hidden_states"), Tensor):
            options["hidden_states"] = _with_gradients(options["hidden_states"])
        return self.code(self.layer, *arguments, **options)

    def _hooked(self) -> bool:
        """Whether hooks inside the layer, of which code that is made would not know, have something to do.

        Those marked `idle_when_compiled` have not: what they do is done in uncompiled passes alone.
        """
        return any(
            not getattr(hook, "idle_when_compiled", False)
            for part in self.layer.modules()
            if part is not self.layer
            for hooks in (part._forward_pre_hooks, part._forward_hooks)
            for hook in hooks.values()
        )

    def _trains(self, *arguments: Any, **options: Any) -> bool:
        prefix = attention.active_prefix() or ()
        given = (*arguments, *options.values(), *prefix)
        if any(isinstance(value, Tensor) and value.requires_grad for value in given):
            return True
        return any(weight.requires_grad for weight in self.layer.parameters())


def _with_gradients(states: Tensor) -> Tensor:
    return states if states.requires_grad else states.detach().requires_grad_()


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _overridden() -> bool:
    """Whether torch's functions are others here: draws of dropout by row (bench.model.inner_dropout)."""
    return bool(torch._C._len_torch_function_stack())


@contextmanager
def compiling() -> Iterator[None]:
    """Within the block all time counts as compiling, whatever part of it the compiler itself takes."""
    global _seconds
    before, begun = _seconds, time.perf_counter()
    try:
        yield
    finally:
        _seconds = before + time.perf_counter() - begun


def _settle() -> None:
    """Once in a process: room for the code of several models, and a clock for what is compiled later on."""
    import torch._dynamo
    import torch._inductor.config
    from torch._dynamo.callback import callback_handler

    torch._dynamo.config.recompile_limit = max(MOST_KINDS, torch._dynamo.config.recompile_limit)
    if _start not in callback_handler.start_callbacks:
        callback_handler.register_start_callback(_start)
        callback_handler.register_end_callback(_stop)


def _start(*_: Any) -> None:
    global _begun
    _begun = time.perf_counter()


def _stop(*_: Any) -> None:
    global _seconds
    if _begun is not None:
        _seconds += time.perf_counter() - _begun
