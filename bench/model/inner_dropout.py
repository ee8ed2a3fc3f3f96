"""The backbone's own dropout, and an adapter's, as draws of the rows.

Families drop out in modules, in functions and inside attention, by torch's one generator: what a row loses then depends
on its neighbours and on how a batch is cut. Within `row_dropout` each such call draws from the rows' own seeds instead,
and from its number among the calls of the forward pass.

Shape legend: B rows, T tokens, H hidden size, A heads, S keys seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bench.data.batches import MicroBatch
from bench.model.dropout import keep_places, row_keys, wrapped

_STEP = -7_046_029_254_386_353_131  # 2^64 / the golden ratio: calls' keys lie far apart


class RowDropout(TorchFunctionMode):
    """Draws of a micro-batch's rows, by how many calls have drawn so far.

    What all rows share is left as it is: a table of relative positions, be it (positions, H) or (2 T, B, H).
    `time_first`: states are (T, B, H), as in XLNet.
    """

    def __init__(self, batch: MicroBatch, time_first: bool) -> None:
        super().__init__()
        self.width = batch.ids.shape[1]
        self.keys, self.time_first, self.calls = row_keys(batch.seeds, "inside"), time_first, 0

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        if function is torch.nn.functional.dropout:
            return self._dropout(*arguments, **(options or {}))
        return function(*arguments, **(options or {}))

    def _dropout(self, states: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return self.dropped(states, p) if training and p else states

    def dropped(self, states: Tensor, rate: float) -> Tensor:
        """The next call's draw on (B, T, H), (B, A, T, S) or, `time_first`, (T, B, H). ValueError for other shapes."""
        self.calls += 1
        if states.dim() < 3 or (self.time_first and states.dim() == 3 and len(states) == 2 * self.width):
            return states
        keys = self.keys + wrapped(_STEP * self.calls)
        row_dim = 1 if self.time_first and states.dim() == 3 else 0
        if states.shape[row_dim] != len(keys):
            raise ValueError(f"dropout on a tensor of shape {tuple(states.shape)} says nothing of {len(keys)} rows")
        by_row = states.movedim(row_dim, 0)
        keep = keep_places(keys.to(states.device), rate, tuple(by_row.shape[1:])).to(states.dtype)
        return (by_row * keep).movedim(0, row_dim)


_active: RowDropout | None = None


@contextmanager
def row_dropout(draws: RowDropout | None) -> Iterator[None]:
    """Within the block dropout in training mode draws by row; None leaves torch's own."""
    global _active
    if draws is None:
        yield
        return
    outer, _active = _active, draws
    try:
        with draws:
            yield
    finally:
        _active = outer


def reopened(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs `forward` with the draws that come next now, whenever and however often it is called."""
    draws = _active
    calls = 0 if draws is None else draws.calls

    def run(*arguments: Any, **options: Any) -> Any:
        if draws is not None:
            draws.calls = calls  # a layer that is run again has the numbers it had
        with row_dropout(None if _active is draws else draws):
            return forward(*arguments, **options)

    return run
