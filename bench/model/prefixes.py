"""From lanes' key/value prefixes to those of every row of a micro-batch.

Shape legend: B rows, L layers that any lane prefixes, A key/value heads, P longest prompt length, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.model.attachment import Prompts
from bench.model.attention import RowPrefixes
from bench.model.dropout import keep_mask


def row_prefixes(
    prompts: Sequence[Prompts], lanes: Sequence[int], seeds: Sequence[int], rates: Sequence[float]
) -> RowPrefixes | None:
    """Each row's prefixes by layer, shorter ones padded in front and marked; None when no lane has any.

    `prompts` goes by lane; `lanes`, `seeds` and `rates` by row. Dropout is drawn in the shape of the row's own
    prefix, before padding, so that it does not depend on the neighbours.
    """
    present = tuple(sorted({layer for prompt in prompts for layer in prompt.layers}))
    given = [prompt.prefixes for prompt in prompts if prompt.prefixes is not None]
    if not given:
        return None
    longest = max(prefix.shape[3] for prefix in given)
    blocks, order, valid = [], [], []
    for lane, prompt in enumerate(prompts):
        rows = [row for row, owner in enumerate(lanes) if owner == lane]
        if not rows:
            continue
        prefixes = prompt.prefixes
        if prefixes is None:
            prefixes = given[0].new_zeros((0, *given[0].shape[1:3], 0, given[0].shape[4]))
        repeated = prefixes.expand(len(rows), *prefixes.shape)  # (rows, its L, 2, A, its P, D)
        if rates[rows[0]]:
            shape, device = tuple(prefixes.shape), prefixes.device
            repeated = repeated * torch.stack([keep_mask(seeds[row], rates[row], shape, device) for row in rows])
        blocks.append(_aligned(repeated, prompt.layers, present, longest))
        valid += [_columns(prompt, prefixes.shape[3], present, longest)] * len(rows)
        order += rows
    columns = torch.stack(valid)  # (B, L, P), on the CPU
    all_valid = bool(columns.all())
    where = torch.tensor(order).argsort()
    values = torch.cat(blocks)
    values = values[where.to(values.device)] if order != sorted(order) else values
    columns = columns[where].to(values.device)
    return RowPrefixes(
        keys={layer: values[:, at, 0] for at, layer in enumerate(present)},
        values={layer: values[:, at, 1] for at, layer in enumerate(present)},
        valid={layer: None if all_valid else columns[:, at] for at, layer in enumerate(present)},
    )


def _aligned(rows: Tensor, layers: tuple[int, ...], present: tuple[int, ...], longest: int) -> Tensor:
    """Pad a lane's rows to the layers and the length that the micro-batch has: (rows, L, 2, A, P, D)."""
    if rows.shape[4] < longest:
        rows = nn.functional.pad(rows, (0, 0, longest - rows.shape[4], 0))
    if layers == present:
        return rows
    full = rows.new_zeros((rows.shape[0], len(present), *rows.shape[2:]))
    if not layers:
        return full
    return full.index_copy(1, torch.tensor([present.index(layer) for layer in layers], device=rows.device), rows)


def _columns(prompt: Prompts, length: int, present: tuple[int, ...], longest: int) -> Tensor:
    """Which prefix columns a lane's rows may see, by layer: (L, P)."""
    columns = torch.zeros((len(present), longest), dtype=torch.bool)
    for at, layer in enumerate(present):
        if layer in prompt.layers:
            columns[at, longest - length :] = True
    return columns
