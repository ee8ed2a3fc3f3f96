"""Cells become records: cells that share a frozen backbone train together, the others alone."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Protocol

import torch
from safetensors.torch import save_file

from bench.cell import Cell
from bench.data.display import example_table
from bench.data.specials import Reader
from bench.errors import DiskError, UnfitModel
from bench.model.backbone import Backbone, load_backbone, prove
from bench.model.heads import word_tokens
from bench.model.loading import family_for, load_config, load_tokenizer, reader_for
from bench.model.memory import check_memory, default_token_budget
from bench.model.proof import proof_in_use
from bench.model.source import ModelSource, find_model, refusal
from bench.registry import build, find_method, find_suite
from bench.score.evaluate import Predictions, predict
from bench.score.table import prediction_table
from bench.store.examples import examples_key, write_examples
from bench.store.predictions import write_predictions
from bench.store.record import Record
from bench.store.store import Store
from bench.train.joint import Start, first_stage, joint_cells, stage_key, start_from
from bench.train.lane import Lane
from bench.train.loop import Progress, fit
from bench.train.meter import peak_bytes, reset_peak
from bench.train.outcome import failure, outcome
from bench.train.room import DataRoom
from bench.train.trained import NotTrained
from bench.tuning import Method


class Audience(Protocol):
    """Who is told how a run goes."""

    def loop(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        """Wraps the training of some cells."""

    def step(self, progress: Progress) -> None:
        """After every step of a loop."""

    def finished(self, record: Record) -> None:
        """After a record is in the store."""


@dataclass(frozen=True)
class Options:
    """How to run, nothing that changes a number."""

    device: torch.device
    max_lanes: int = 8
    token_budget: int | None = None  # default: by the backbone's width and the device
    save_tuned: bool = True
    checkpointing: bool = False  # make activations again in the backward pass: less memory, more time


def run(
    cells: Sequence[Cell], store: Store, options: Options, audience: Audience, room: DataRoom | None = None
) -> list[Record]:
    """Measure every cell and write its record; returns them in the order they finished.

    UsageError before anything trains when data or models are unfit; give the `room` that `prepare` has filled, or
    none to have it done here. After that a cell that fails or diverges becomes a record with its reason, and only a
    full disk (DiskError) ends the run; what finished is kept.
    """
    if room is None:
        room = DataRoom()
        prepare(cells, room)
    backbones, written = Backbones(options), []
    with _data_set_aside():
        for group in groups(cells, options.max_lanes):
            for record in _run_group(group, backbones, room, store, options, audience):
                audience.finished(record)
                written.append(record)
    return written


@contextmanager
def _data_set_aside() -> Iterator[None]:
    """Within the block the garbage collector passes over what is there now: millions of items, which stay to the end.

    Every loop collects before its memory is measured, and would go through all of them each time.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def prepare(cells: Sequence[Cell], room: DataRoom) -> None:
    """Read and encode every task for every tokenizer, so that no bad input stops a run midway.

    UsageError names what cannot be used.
    """
    tokenizers = {path: _tokenizer(find_model(path)) for path in dict.fromkeys(cell.model_path for cell in cells)}
    for cell in cells:
        task, method = find_suite(cell.suite).task(cell.task), _method(cell)
        method.check()
        tokenizer, reader = tokenizers[cell.model_path]
        room.lane_data(cell, task, method, tokenizer, reader)
        for each in joint_cells(cell):
            room.train_data(each, find_suite(each.suite).task(each.task), method, tokenizer, reader)
        if method.head == "verbalizer" and not method.num_label_words:
            for name in task.classes:
                word_tokens(tokenizer, task.words[name])


def _tokenizer(model: ModelSource) -> tuple[Any, Reader]:
    """A model's tokenizer and how it reads a text, as it has proved. UsageError when it cannot be used."""
    proof = proof_in_use(model.fingerprint) or prove(model, torch.device("cpu"))
    if proof.refused:
        raise UnfitModel(refusal(model, proof))
    config = load_config(model).to_dict()
    return load_tokenizer(model), reader_for(config, family_for(config, proof))


class Backbones:
    """The model in use. A frozen one is kept while cells share it; one whose weights train serves a single cell.

    `starts` are what first stages came to, which cells share.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._frozen: tuple[object, Backbone] | None = None
        self.starts: dict[tuple[str, ...], Start] = {}

    def of(self, cell: Cell) -> Backbone:
        key = (cell.model_path, cell.precision)
        if self._frozen and self._frozen[0] == key and not _method(cell).changes_weights:
            return self._frozen[1]
        self.drop()  # two copies of a large model would not fit everywhere
        options, frozen = self._options, not _method(cell).changes_weights
        check_memory([cell], options.device, 1, options.token_budget, options.checkpointing)
        model = find_model(cell.model_path)
        backbone = load_backbone(model, options.device, cell.precision, frozen, options.checkpointing)
        if frozen:
            self._frozen = (key, backbone)
        return backbone

    def drop(self) -> None:
        self._frozen = None


def groups(cells: Iterable[Cell], max_lanes: int) -> Iterator[list[Cell]]:
    """Cells that may share a loop: same model, precision and backbone dropout, weights frozen; else one by one.

    Frozen cells of a model come first, so that its backbone is loaded for them once.
    """
    for _, same_model in groupby(cells, key=lambda cell: (cell.model_path, cell.precision)):
        alone: list[Cell] = []
        together: dict[bool, list[Cell]] = {}
        for cell in same_model:
            place = alone if _method(cell).changes_weights else together.setdefault(cell.budget.backbone_dropout, [])
            place.append(cell)
        for alike in together.values():
            for start in range(0, len(alike), max_lanes):
                yield alike[start : start + max_lanes]
        yield from ([cell] for cell in alone)


def _method(cell: Cell) -> Method:
    return build(find_method(cell.method), cell.settings)


def _run_group(
    cells: Sequence[Cell], backbones: Backbones, room: DataRoom, store: Store, options: Options, audience: Audience
) -> Iterator[Record]:
    """Train cells in one loop. When the loop itself breaks, each is tried alone, so that only the culprit fails."""
    started = datetime.now(UTC)
    try:
        backbone = backbones.of(cells[0])
    except Exception as error:  # a model that does not load, or does not fit the device, fails its cells only
        for cell in cells:
            yield _write_failure(cell, error, started, store, options)
        return
    try:
        starts = _starts(cells, backbone, backbones.starts, room, options, audience)
        for record in _train_group(cells, backbone, starts, room, store, options, audience, started):
            if record.status == "failed":
                backbones.drop()  # a lane that does not train as it should may have trained what it should not
            yield record
    except DiskError:
        raise
    except Exception as error:
        backbones.drop()  # whatever broke may have left its marks on the shared weights
        if len(cells) == 1:
            yield _write_failure(cells[0], error, started, store, options)
            return
        for cell in store.missing(cells):
            yield from _run_group([cell], backbones, room, store, options, audience)


def _starts(
    cells: Sequence[Cell],
    backbone: Backbone,
    known: dict[tuple[str, ...], Start],
    room: DataRoom,
    options: Options,
    audience: Audience,
) -> dict[str, Start]:
    """By cell what its first stage came to, for those that have one; a stage that is not known yet is trained here."""
    found = {}
    for cell in cells:
        if cell.joint:
            key = stage_key(cell)
            if key not in known:
                with audience.loop(joint_cells(cell)):
                    known[key] = first_stage(cell, backbone, room, _token_budget(backbone, options), audience.step)
            found[cell.id] = known[key]
    return found


def _token_budget(backbone: Backbone, options: Options) -> int:
    return options.token_budget or default_token_budget(backbone.geometry.hidden, backbone.device)


def _train_group(
    cells: Sequence[Cell],
    backbone: Backbone,
    starts: dict[str, Start],
    room: DataRoom,
    store: Store,
    options: Options,
    audience: Audience,
    started: datetime,
) -> Iterator[Record]:
    begun = time.perf_counter()
    lanes = []
    for cell in cells:
        task, method = find_suite(cell.suite).task(cell.task), _method(cell)
        lanes.append(
            Lane(cell, method, task, backbone, room.lane_data(cell, task, method, backbone.tokenizer, backbone.reader))
        )
        if cell.id in starts:
            start_from(lanes[-1], starts[cell.id])
    budget = _token_budget(backbone, options)
    reset_peak(options.device)
    with audience.loop(cells):
        fit(backbone, lanes, budget, audience.step)
    done = [lane for lane in lanes if lane.status == "done"]
    read = [lane for lane in done if lane.cell.stage == "score"]  # a trial ends without a look at the scored split
    failed = [lane for lane in lanes if lane.status == "failed"]
    if failed and not done and len(lanes) > 1:  # perhaps one moved what all share: alone, only that one fails
        raise NotTrained(failed[0].reason)
    peak = peak_bytes(options.device)
    before = time.perf_counter()
    found = predict(
        backbone, read, [lane.data.scored for lane in read], [lane.data.scored_examples for lane in read], budget
    )
    evaluate_seconds = (time.perf_counter() - before) / max(1, len(read))
    predictions = dict(zip(map(id, read), found, strict=True))
    overhead = (time.perf_counter() - begun - sum(lane.ledger.seconds for lane in lanes)) / len(lanes)
    for lane in lanes:
        lane.ledger.evaluate_seconds += evaluate_seconds if lane in read else 0.0
        own = predictions.get(id(lane))
        record = outcome(lane, backbone, own, peak, overhead, len(lanes), started, budget)
        yield _write(record, lane, own, store, options)


def _write(record: Record, lane: Lane, predictions: Predictions | None, store: Store, options: Options) -> Record:
    files = {}
    if predictions is not None:
        _keep_examples(lane, store)
        table = prediction_table(lane.task, lane.data.scored_examples, predictions.found, predictions.answers)
        files["predictions.parquet"] = lambda path: write_predictions(path, table)
        tensors = {name: tensor.cpu().contiguous() for name, tensor in lane.stored().items()}
        if options.save_tuned and tensors:
            metadata = {"cell": record.id}  # one entry: several would be written in another order each time
            files["tuned.safetensors"] = lambda path: save_file(tensors, path, metadata=metadata)
    store.write(record, files)
    return record


def _keep_examples(lane: Lane, store: Store) -> None:
    task = lane.task
    store.write_examples(
        examples_key(lane.cell),
        lambda path: write_examples(path, example_table(task, lane.data.scored_examples), task.name, task.kind),
    )


def _write_failure(cell: Cell, error: Exception, started: datetime, store: Store, options: Options) -> Record:
    record = failure(cell, error, started, options.device)
    store.write(record)
    return record
