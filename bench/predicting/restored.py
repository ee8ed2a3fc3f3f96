"""A finished cell as it was when it was scored: its model, prompts and head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bench.cell import Cell
from bench.data.context import Context
from bench.data.kind import LayoutSpec
from bench.data.places import fingerprint
from bench.data.specials import special
from bench.data.tokens import TokenStore
from bench.errors import CannotShare, OutOfMemory, UsageError, is_out_of_memory
from bench.model.attachment import Attachment
from bench.model.backbone import Backbone
from bench.model.device import device_name
from bench.model.head import Head
from bench.model.loading import load_backbone
from bench.model.memory import Work, default_token_budget, estimate
from bench.model.prompts import Prompts
from bench.model.sizes import model_sizes
from bench.model.source import ModelSource, find_model, known_model
from bench.model.trust import FLAG
from bench.resolved import ResolvedCell, resolve
from bench.store.checksums import check_file
from bench.store.record import Record
from bench.store.seal import Spoiled
from bench.store.store import Store
from bench.train.memory import usable_bytes
from bench.train.run_data import RunData
from bench.train.trainable import attach, draw_head

GB = 1e9


@dataclass(frozen=True, eq=False)
class Restored:
    """What answers rows as the cell did. `token_budget` bounds micro-batches; `fixed` as in Evaluation."""

    resolved: ResolvedCell
    backbone: Backbone
    prompts: Prompts
    head: Head
    context: Context
    null_threshold: float
    token_budget: int
    fixed: bool

    def spec(self, tokens: TokenStore) -> LayoutSpec:
        """What rows are laid out by."""
        method, backbone = self.resolved.method, self.backbone
        around, cloze = special(backbone.tokenizer, backbone.reader), method.head == "verbalizer"
        length = self.resolved.cell.budget.max_length
        return LayoutSpec(around, tokens, method.slots(), cloze, length, self.context.ids)


def resolved_cell(record: Record) -> ResolvedCell:
    """A cell that was scored, its task as it was then. UsageError for any other."""
    cell = record.cell
    if record.status != "done":
        reason = record.reason or "no reason is recorded"
        raise UsageError(f"cell {record.id} has not finished ({record.status}: {reason}); run its grid again")
    if cell.stage == "trial":
        raise UsageError(f"cell {record.id} is a trial, which keeps no tensors; take a cell that was scored")
    resolved = resolve(cell)
    if resolved.task.version != cell.task_version:
        versions = f"version {cell.task_version} of task {cell.task!r}, which is version {resolved.task.version} here"
        raise UsageError(f"cell {record.id} was trained on {versions}; run its grid again")
    return resolved


def same_model(resolved: ResolvedCell) -> ModelSource:
    """The model that a cell was trained on. UsageError where it is not there, or another by now."""
    cell = resolved.cell
    source = find_model(cell.model_path)
    if source.fingerprint != cell.model_fingerprint:
        _check_code(cell, source)
        raise UsageError(
            f"the model at {cell.model_path} is not the one that the cell was trained on ({cell.model}); "
            "--model says where that is"
        )
    return source


def _check_code(cell: Cell, source: ModelSource) -> None:
    """UsageError where the model is the cell's but for the code that it brings: one of the two ran with it."""
    try:
        other = known_model(cell.model_path, not source.code)
    except OutOfMemory:
        raise
    except UsageError:  # its code cannot be had
        return
    if other.fingerprint == cell.model_fingerprint:
        asked = f"without the code that its model brings; leave {FLAG} out" if source.code else (
            f"with the code that its model brings, which runs only where it is asked for; give {FLAG} if you trust it"
        )  # fmt: skip
        raise UsageError(f"the cell of {cell.model} was trained {asked}")


def kept_tensors(store: Store, cell_id: str) -> dict[str, Tensor]:
    """What a cell's tuned.safetensors has, on the CPU; nothing where there is no such file. UsageError where it is not
    what was written.
    """
    path = store.cell_folder(cell_id) / "tuned.safetensors"
    if not path.is_file():
        return {}
    try:
        check_file(path)
        return load_file(path)
    except (OSError, SafetensorError, Spoiled) as error:
        raise UsageError(f"cell {cell_id} cannot be used: {error}; bench run measures it again") from None
    except ValueError as error:  # the file is what was written: torch's words for memory that is used up there
        raise OutOfMemory(f"not enough memory to read the tensors of cell {cell_id} ({error})") from None


def restore(store: Store, record: Record, device: torch.device, token_budget: int | None = None) -> Restored:
    """The cell of a record, ready to answer on a device, in the precision that the record's cell says.

    UsageError for a cell that was not scored or kept no tensors, and for a model or task that is another by now.
    """
    resolved = resolved_cell(record)
    resolved.method.check()
    source = same_model(resolved)
    budget = _token_budget(record, source, device, token_budget)
    _check_memory(resolved, source, device, budget)
    backbone, attachment = _attached(resolved, source, device)
    head = draw_head(resolved, backbone)
    _put_back(record, attachment, head, kept_tensors(store, record.id), device)
    with torch.no_grad():
        prompts = attachment.prompts()
    fixed = not attachment.weights()
    return Restored(
        resolved, backbone, prompts, head.requires_grad_(False), _context(resolved, backbone),
        record.null_threshold or 0.0, budget, fixed,
    )  # fmt: skip


def _token_budget(record: Record, source: ModelSource, device: torch.device, asked: int | None) -> int:
    """On the device that the cell was scored on as it was then, so that the same rows are rounded alike."""
    kept = record.provenance.get("token_budget")
    if asked is not None:
        return asked
    if kept is not None and record.provenance.get("device") == device_name(device):
        return int(kept)
    sizes = model_sizes(source)
    return default_token_budget(sizes.hidden if sizes else 1024, device)


def _check_memory(resolved: ResolvedCell, source: ModelSource, device: torch.device, tokens: int) -> None:
    """UsageError with the estimate where the model does not fit: nothing is kept for a backward pass."""
    sizes, cell = model_sizes(source), resolved.cell
    if sizes is None:
        return
    work = Work(cell.precision, min(tokens, cell.budget.max_length), cell.budget.max_length, device, backward=False)
    need, usable = estimate(sizes, work).total, usable_bytes((device,))
    if need > usable:
        raise UsageError(
            f"model {cell.model!r} needs about {need / GB:.1f} GB in {cell.precision}, and {usable / GB:.1f} GB of "
            f"{device.type} memory are free; take another --device"
        )


def _attached(resolved: ResolvedCell, source: ModelSource, device: torch.device) -> tuple[Backbone, Attachment]:
    """A backbone with what the method puts to it, as it is put while training; a trained one is the cell's alone."""
    precision = resolved.cell.precision
    if not resolved.method.changes_weights:
        backbone = load_backbone(source, device, precision, frozen=True)
        try:
            return backbone, attach(resolved, backbone)
        except CannotShare:
            del backbone
    backbone = load_backbone(source, device, precision, frozen=False)
    return backbone, attach(resolved, backbone)


def _put_back(
    record: Record, attachment: Attachment, head: Head, tensors: Mapping[str, Tensor], device: torch.device
) -> None:
    """UsageError where there are no tensors, or they are not those that the cell's settings make."""
    trained = [*attachment.parameters(), *attachment.weights().values(), *head.parameters()]
    if trained and not tensors:
        raise UsageError(f"cell {record.id} kept no tensors; run it with --save-tuned into another --out")
    on_device = {name: tensor.to(device) for name, tensor in tensors.items()}
    try:
        attachment.restore(on_device)
        with torch.no_grad():
            for name, value in head.named_parameters():
                value.copy_(on_device[f"head.{name}"])
    except (KeyError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise UsageError(f"tuned.safetensors of cell {record.id} does not fit its method: {error}") from None


def _context(resolved: ResolvedCell, backbone: Backbone) -> Context:
    """The demonstrations that stood before each example. UsageError where their train rows are not there any more."""
    cell, task = resolved.cell, resolved.task
    if not resolved.method.demonstrations():
        return Context()
    data = Path(cell.data_path) if cell.data_path else None
    if fingerprint(task, data, task.splits(cell.protocol)) != cell.data_fingerprint:
        where = f"{data}" if data else "the hub"
        raise UsageError(f"the data of task {task.name!r} ({where}), of which {cell.label} shows rows, are others now")
    return RunData().context(resolved, backbone)
