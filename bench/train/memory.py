"""Does a model fit? What cells need of a device's memory against what is free, before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from bench.cell import Cell
from bench.errors import UsageError
from bench.model.free_memory import available_bytes
from bench.model.memory import MARGIN, MemoryNeed, Work, default_token_budget, estimate
from bench.model.sizes import Sizes, model_sizes
from bench.model.source import ModelSource, find_model
from bench.resolved import ResolvedCell
from bench.tuning import Method

GB = 1e9


def check_memory(
    cells: Sequence[ResolvedCell],
    device: torch.device,
    max_lanes: int,
    token_budget: int | None,
    checkpointing: bool,
    shared: bool = True,
    others: tuple[torch.device, ...] = (),
    workers: int = 1,
) -> None:
    """UsageError with the estimate when a cell's model does not fit a worker's part of the free memory of its devices,
    of which each has so many `workers`.

    Without `shared` every cell has a model to itself, whatever its method says. A checkpoint whose size cannot be known
    before it is fetched is let through.
    """
    devices = (device, *others)
    usable = usable_bytes(devices) // workers
    for alike in _alike(cells):
        cell, method = alike[0].cell, alike[0].method
        frozen = shared and not method.changes_weights
        rows = (min(max_lanes, len(alike)) if frozen else 1) * cell.budget.batch_size
        found = _fitted(alike[0], rows, devices, token_budget, checkpointing, usable, shared)
        if found and estimate(*found).total > usable:
            raise UsageError(_refusal(find_model(cell.model_path), cell, *found, usable, workers))


def _fitted(
    resolved: ResolvedCell,
    num_rows: int,
    devices: Sequence[torch.device],
    token_budget: int | None,
    checkpointing: bool,
    usable: int,
    shared: bool = True,
) -> tuple[Sizes, Work] | None:
    """A model's sizes and the work of a cell whose loop has so many rows a step, in micro-batches that fit what is
    usable of each device, or of one row; None for a model whose size is unknown.
    """
    cell, method = resolved.cell, resolved.method
    model = find_model(cell.model_path)
    sizes = model_sizes(model)
    if sizes is None:
        return None
    row_length = _row_length(cell, method, model.positions)
    most = token_budget or default_token_budget(sizes.hidden, devices[0])
    most = _tokens(most, row_length, num_rows, devices[0])
    work = work_of(cell, method, most, checkpointing, devices[0], shared, len(devices))
    if token_budget is None:  # then micro-batches may be as small as one row
        work = _halved(sizes, work, row_length, lambda need: need.total <= usable)
    return sizes, work


def usable_bytes(devices: Sequence[torch.device]) -> int:
    """Memory that can be used of each of some devices."""
    return round(min(map(available_bytes, devices)) * (1 - MARGIN))


def bytes_needed(
    cells: Sequence[ResolvedCell], devices: Sequence[torch.device], token_budget: int | None, checkpointing: bool
) -> int:
    """What cells in one loop need of each of a worker's devices by the estimate, the most demanding of them; 0 where it
    is unknown.
    """
    most, usable = 0, usable_bytes(devices)
    for resolved in cells:
        rows = len(cells) * resolved.cell.budget.batch_size
        found = _fitted(resolved, rows, devices, token_budget, checkpointing, usable)
        if found is None:
            return 0
        most = max(most, estimate(*found).total)
    return most


def _alike(cells: Sequence[ResolvedCell]) -> list[list[ResolvedCell]]:
    """Cells that need the same: of one model, precision, method with its settings, and lengths."""
    groups: dict[tuple[object, ...], list[ResolvedCell]] = {}
    for resolved in cells:
        cell = resolved.cell
        settings = tuple(sorted((name, str(value)) for name, value in cell.settings.items()))
        key = (cell.model_path, cell.precision, cell.method, settings, cell.budget.max_length, cell.budget.batch_size)
        groups.setdefault(key, []).append(resolved)
    return list(groups.values())


def work_of(
    cell: Cell,
    method: Method,
    tokens: int,
    checkpointing: bool,
    device: torch.device,
    shared: bool = True,
    num_devices: int = 1,
) -> Work:
    """What a cell does on a model that it shares, or has to itself though its method would share it."""
    moments = 2 if method.optimizer == "adamw" else 0  # Adafactor's of large ones are rows and columns
    return Work(
        cell.precision, tokens, cell.budget.max_length, device, checkpointing, backward=method.trains,
        moments=None if shared and not method.changes_weights else moments, num_devices=num_devices,
        copies=num_devices == 1 or not gathers_half(method), chooses=cell.budget.evaluations != 1,
    )  # fmt: skip


def gathers_half(method: Method) -> bool:
    """Whether sharded matrices may be gathered in bf16: a package's code may read one elsewhere than in its product
    (DoRA takes norms).
    """
    return not method.package


def fitting_tokens(
    resolved: ResolvedCell, devices: Sequence[torch.device], checkpointing: bool, shared: bool = True
) -> int:
    """Tokens of a micro-batch where none were asked for, the model being loaded on these devices: the default, halved
    until activations and what training takes fit the memory that is free.
    """
    cell, method = resolved.cell, resolved.method
    model = find_model(cell.model_path)
    sizes = model_sizes(model)
    if sizes is None:
        return default_token_budget(0, devices[0])
    free, most = usable_bytes(devices), default_token_budget(sizes.hidden, devices[0])
    work = work_of(cell, method, most, checkpointing, devices[0], shared, len(devices))
    row_length = _row_length(cell, method, model.positions)
    return _halved(sizes, work, row_length, lambda need: need.training + need.activations <= free).tokens


def _halved(sizes: Sizes, work: Work, least: int, fits: Callable[[MemoryNeed], bool]) -> Work:
    """The work in micro-batches that are halved until it fits, or a row is left."""
    while work.tokens > least and not fits(estimate(sizes, work)):
        work = replace(work, tokens=max(least, work.tokens // 2))
    return work


def _row_length(cell: Cell, method: Method, positions: int) -> int:
    """Tokens of the longest row."""
    length = cell.budget.max_length * (1 + method.demonstrations()) + method.slots().count
    return min(length, positions or length)


def _tokens(token_budget: int, row_length: int, num_rows: int, device: torch.device) -> int:
    """Tokens of the largest micro-batch: the token budget, or all the rows of a step if that is less.

    On a GPU micro-batches are filled up with empty rows (bench.data.cutting).
    """
    if device.type == "cuda":
        return max(row_length, token_budget)
    return max(row_length, min(token_budget, num_rows * row_length))


def _refusal(model: ModelSource, cell: Cell, sizes: Sizes, work: Work, usable: int, workers: int) -> str:
    need = estimate(sizes, work)
    parts = [
        f"{num_bytes / GB:.1f} for {what}"
        for what, num_bytes in (
            ("weights", need.weights), ("training them", need.training), ("activations", need.activations),
            ("copies between steps", need.between if need.between > need.activations else 0),
        )
        if num_bytes >= GB / 20
    ]  # fmt: skip
    fewer = ["fewer workers in --devices"] if workers > 1 and need.total <= usable * workers else []
    remedies = [*fewer, *_remedies(sizes, work, need), *_more_devices(sizes, work, usable), "a smaller model"]
    part = f" by each of {workers} workers" if workers > 1 else ""
    each = f" on each of {work.num_devices} devices" if work.num_devices > 1 else ""
    return (
        f"model {model.name!r} with {cell.method} in {cell.precision} needs about {need.total / GB:.1f} GB{each} "
        f"({sizes.parameters / 1e6:,.0f} million parameters; GB: {', '.join(parts)}), but {usable / GB:.1f} GB of "
        f"{work.device} can be used{part}; give {', '.join(remedies[:-1])} or {remedies[-1]}"
    )


def _remedies(sizes: Sizes, work: Work, need: MemoryNeed) -> Iterator[str]:
    """The flags that would lower the need."""
    if work.precision == "fp32" and work.moments is None:
        lower = estimate(sizes, replace(work, precision="bf16"))
        if lower.total < need.total:
            yield "--precision bf16"
    if work.precision in ("bf16", "int8") and work.moments is None:
        lower = estimate(sizes, replace(work, precision="nf4"))
        if lower.total < need.total:
            yield "--precision nf4"
    if not work.checkpointing and estimate(sizes, replace(work, checkpointing=True)).total < need.total:
        yield "--checkpointing"
    if need.activations > need.between:
        yield "a smaller --token-budget"


def _more_devices(sizes: Sizes, work: Work, usable: int) -> Iterator[str]:
    """How many GPUs like this one would do, and whether this machine has them."""
    if work.device.type != "cuda":
        yield "another --device"
        return
    numbers = range(work.num_devices + 1, max(2, sizes.layers) + 1)
    enough = next((n for n in numbers if estimate(sizes, replace(work, num_devices=n)).total <= usable), None)
    here = torch.cuda.device_count()
    if enough is None:
        yield "a larger GPU (no number of these would do)"
    elif enough <= here:
        yield f"--shard {enough}"
    else:
        yield f"a machine with {enough} GPUs like this one for --shard {enough} (this one has {here})"
