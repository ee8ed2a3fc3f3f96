"""Everything that a run reads, before it trains: no bad input stops it midway."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bench.cell import Cell
from bench.collecting import not_collecting
from bench.data.specials import Reader
from bench.errors import UnfitModel
from bench.joint import stage_cells
from bench.model.heads import word_tokens
from bench.model.pretrained import family_for, load_config, load_tokenizer, reader_for
from bench.model.proof import proof_in_use
from bench.model.proofs import prove
from bench.model.source import ModelSource, find_model, refusal
from bench.resolved import ResolvedCell
from bench.train.run_data import RunData

Devices = tuple[torch.device, ...]
ON_CPU: Devices = (torch.device("cpu"),)


@dataclass(frozen=True)
class UnloadedModel:
    """What of a model is known before its weights are loaded: a bench.train.run_data.TextModel."""

    tokenizer: Any
    reader: Reader
    positions: int


def prepare(cells: Sequence[ResolvedCell], data: RunData, devices: Devices = ON_CPU) -> None:
    """Read and encode every task for every tokenizer, if that is still to be done. UsageError: what cannot be used.

    A model whose proof is not known here, made or kept, proves itself on these devices.
    """
    new = {_place(resolved.cell): resolved for resolved in cells if _place(resolved.cell) not in data.prepared}
    paths = dict.fromkeys(resolved.cell.model_path for resolved in new.values())
    models = unloaded_models(paths, devices)
    encoded = {
        place: (*_rows(resolved.cell), data.tokens.key(models[resolved.cell.model_path].tokenizer))
        for place, resolved in new.items()
    }
    for place, resolved in new.items():
        for thing in (_rows(resolved.cell), encoded[place]):
            data.seconds.use(thing, [resolved.cell.id])
    with not_collecting():
        for place, resolved in new.items():
            _read(resolved, models[resolved.cell.model_path], data, encoded[place])
            data.prepared.add(place)


def unloaded_models(paths: Iterable[str], devices: Devices = ON_CPU) -> dict[str, UnloadedModel]:
    """By path what is known of models before their weights are loaded. UsageError: one cannot be used."""
    return {path: _unloaded(find_model(path), devices) for path in paths}


def _read(resolved: ResolvedCell, model: UnloadedModel, data: RunData, encoded: tuple[str | None, ...]) -> None:
    """What a cell needs that is not there yet. UsageError: what cannot be used."""
    task, method = resolved.task, resolved.method
    method.check()
    with data.seconds.timed(_rows(resolved.cell)):
        data.parts(resolved.cell, task)
    with data.seconds.timed(encoded):
        data.of(resolved, model)
        for part in stage_cells(resolved):
            data.train_alone(part, model)
    if method.head == "verbalizer" and not method.num_label_words:
        for name in task.classes:
            word_tokens(model.tokenizer, task.words[name])


def _place(cell: Cell) -> tuple[str | None, ...]:
    """What was read for a cell, and where from."""
    return (cell.id, cell.suite, cell.model_path, cell.data_path)


def _rows(cell: Cell) -> tuple[str | None, ...]:
    """What cells share whose task is read from one place: the task's rows."""
    return (cell.suite, cell.task, cell.data_path)


def _unloaded(model: ModelSource, devices: Devices) -> UnloadedModel:
    """How a model reads a text, as it has proved. UsageError when it cannot be used."""
    proof = proof_in_use(model.fingerprint) or prove(model, devices[0], devices[1:])
    if proof.refused:
        raise UnfitModel(refusal(model, proof))
    config = load_config(model).to_dict()
    return UnloadedModel(load_tokenizer(model), reader_for(config, family_for(config, proof)), model.positions)
