"""Cells become records: cells that share a frozen backbone train together, the others alone."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save_file

from bench.data.encode import Encoder, Form, Row
from bench.data.examples import examples
from bench.data.split import first_rows, held_out
from bench.errors import UsageError
from bench.model.backbone import Backbone, load_backbone
from bench.model.source import find_model
from bench.registry import build, find_method, find_suite
from bench.score.evaluate import Predictions, predict
from bench.score.metrics import trivial
from bench.spec import Cell, Example, Method, Split, Task
from bench.store.predictions import write_predictions
from bench.store.provenance import provenance
from bench.store.record import Costs, Counts, Parameters, Record
from bench.store.store import Store
from bench.train.lane import Lane, LaneData
from bench.train.loop import Progress, fit
from bench.train.meter import peak_bytes, reset_peak


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


@dataclass
class DataRoom:
    """Examples and encoded rows, each made once for a run."""

    _examples: dict[tuple[str, str, Split, str | None], list[Example]] = field(default_factory=dict)
    _rows: dict[tuple[object, ...], list[Row]] = field(default_factory=dict)

    def split(self, cell: Cell, task: Task) -> tuple[list[Example], list[Example], list[Example]]:
        """(train, selection, dev) examples of a cell."""
        train, dev = (self._read(cell, task, split) for split in ("train", "dev"))
        train = first_rows(task, train, cell.budget.train_rows, "train")
        dev = first_rows(task, dev, cell.budget.dev_rows, "dev")
        if cell.protocol == "paper":
            return train, dev, dev
        train, selection = held_out(task, train)
        return train, selection, dev

    def _read(self, cell: Cell, task: Task, split: Split) -> list[Example]:
        key = (cell.suite, task.name, split, cell.data_path)
        if key not in self._examples:
            self._examples[key] = examples(task, split, Path(cell.data_path) if cell.data_path else None)
        return self._examples[key]

    def lane_data(self, cell: Cell, task: Task, method: Method, backbone: Backbone) -> LaneData:
        """Encoded rows for a cell; cells of the same form, slots and length share them."""
        form: Form = "cloze" if method.head == "verbalizer" else "plain"
        shape = (cell.model_fingerprint, task.name, cell.suite, cell.protocol, form, method.slots(), cell.budget)
        parts = self.split(cell, task)
        rows: list[list[Row]] = []
        for name, part in zip(("train", "selection", "dev"), parts, strict=True):
            key = (*shape, name, cell.data_path)
            if key not in self._rows:
                encoder = Encoder(backbone.tokenizer, task, form, method.slots(), cell.budget.max_length)
                self._rows[key] = encoder.encode(part)
            rows.append(self._rows[key])
        return LaneData(rows[0], rows[1], rows[2], *parts)


def run(cells: Sequence[Cell], store: Store, options: Options, audience: Audience) -> list[Record]:
    """Measure every cell and write its record; returns them in the order they finished.

    A cell that fails or diverges becomes a record with its reason. UsageError (unreadable data, a full disk) ends
    the run; what finished before is kept.
    """
    room, written = DataRoom(), []
    frozen: tuple[object, Backbone] | None = None
    for group in groups(cells, options.max_lanes):
        method = _method(group[0])
        key = (group[0].model_path, group[0].precision)
        if method.changes_weights:
            frozen = None  # two copies of a large model would not fit everywhere
            backbone = _load(group[0], options, frozen=False)
        else:
            frozen = frozen if frozen and frozen[0] == key else (key, _load(group[0], options, frozen=True))
            backbone = frozen[1]
        for record in _run_group(group, backbone, room, store, options, audience):
            audience.finished(record)
            written.append(record)
    return written


def groups(cells: Iterable[Cell], max_lanes: int) -> Iterator[list[Cell]]:
    """Cells that may share a loop: same model and precision, weights frozen, no backbone dropout; else one by one.

    Frozen cells of a model come first, so that its backbone is loaded for them once.
    """
    for _, same_model in groupby(cells, key=lambda cell: (cell.model_path, cell.precision)):
        alone: list[Cell] = []
        together: list[Cell] = []
        for cell in same_model:
            (alone if _method(cell).changes_weights or cell.budget.backbone_dropout else together).append(cell)
        for start in range(0, len(together), max_lanes):
            yield together[start : start + max_lanes]
        yield from ([cell] for cell in alone)


def _method(cell: Cell) -> Method:
    return build(find_method(cell.method), cell.settings)


def _load(cell: Cell, options: Options, frozen: bool) -> Backbone:
    return load_backbone(find_model(cell.model_path), options.device, cell.precision, frozen)


def _run_group(
    cells: Sequence[Cell], backbone: Backbone, room: DataRoom, store: Store, options: Options, audience: Audience
) -> Iterator[Record]:
    """Train cells in one loop. When the loop itself breaks, each is tried alone, so that only the culprit fails."""
    started = datetime.now(UTC)
    try:
        yield from _train_group(cells, backbone, room, store, options, audience, started)
    except UsageError:
        raise
    except Exception as error:
        if len(cells) > 1:
            for cell in cells:
                if store.missing([cell]):
                    yield from _run_group([cell], backbone, room, store, options, audience)
            return
        record = _failure(cells[0], error, started, options)
        store.write(record)
        yield record


def _train_group(
    cells: Sequence[Cell],
    backbone: Backbone,
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
        lanes.append(Lane(cell, method, task, backbone, room.lane_data(cell, task, method, backbone)))
    budget = options.token_budget or default_token_budget(backbone)
    reset_peak(options.device)
    with audience.loop(cells):
        fit(backbone, lanes, budget, audience.step)
    peak = peak_bytes(options.device)
    done = [lane for lane in lanes if lane.status == "done"]
    before = time.perf_counter()
    found = predict(backbone, done, [lane.data.dev for lane in done], [lane.data.dev_examples for lane in done], budget)
    evaluate_seconds = (time.perf_counter() - before) / max(1, len(done))
    predictions = dict(zip(map(id, done), found, strict=True))
    overhead = (time.perf_counter() - begun - sum(_seconds(lane) for lane in lanes)) / len(lanes)
    for lane in lanes:
        lane.ledger.evaluate_seconds += evaluate_seconds if lane in done else 0.0
        record = _record(lane, backbone, predictions.get(id(lane)), peak, overhead, len(lanes), started, options)
        yield _write(record, lane, predictions.get(id(lane)), store, options)


def _seconds(lane: Lane) -> float:
    return lane.ledger.train_seconds + lane.ledger.evaluate_seconds


def default_token_budget(backbone: Backbone) -> int:
    """Tokens per micro-batch: on a CPU what keeps activations near the caches, on a GPU what keeps it busy."""
    if backbone.device.type == "cuda":
        return 32_768
    return max(512, 400_000 // backbone.geometry.hidden)


def _record(
    lane: Lane,
    backbone: Backbone,
    predictions: Predictions | None,
    peak: int,
    overhead: float,
    num_lanes: int,
    started: datetime,
    options: Options,
) -> Record:
    ledger, data, cell = lane.ledger, lane.data, lane.cell
    stored = sum(tensor.numel() for tensor in lane.stored().values())
    return Record(
        id=cell.id,
        cell=cell,
        status="done" if lane.status == "done" else "diverged" if lane.status == "diverged" else "failed",
        reason=lane.reason,
        main_metric=lane.task.main_metric,
        scores=predictions.scores if predictions else {},
        trivial=trivial(lane.task, data.train_examples, data.dev_examples),
        selected_step=lane.best[1] if lane.best else None,
        selection_score=lane.best[0][0] if lane.best else None,
        curve=ledger.curve,
        counts=Counts(
            train=len(data.train),
            selection=len(data.selection),
            dev=len(data.dev),
            train_cut=sum(row.cut for row in data.train),
            dev_cut=sum(row.cut for row in data.dev),
        ),
        parameters=Parameters(
            trained=sum(tensor.numel() for tensor in lane.training_tensors().values()),
            stored=stored,
            head=sum(tensor.numel() for tensor in lane.head.parameters()),
            backbone=backbone.geometry.parameters,
        ),
        costs=Costs(
            seconds=_seconds(lane) + overhead,
            train_seconds=ledger.train_seconds,
            evaluate_seconds=ledger.evaluate_seconds,
            steps=lane.step,
            tokens=ledger.tokens,
            tokens_per_second=ledger.tokens / ledger.train_seconds if ledger.train_seconds else 0.0,
            peak_bytes=peak,
            lanes=num_lanes,
        ),
        provenance=provenance(device_name(options.device)),
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _write(record: Record, lane: Lane, predictions: Predictions | None, store: Store, options: Options) -> Record:
    files = {}
    if predictions is not None:
        rows = (lane.task, lane.data.dev_examples, predictions.labels, predictions.probabilities)
        files["predictions.parquet"] = lambda path: write_predictions(path, *rows)
        if options.save_tuned:
            tensors = {name: tensor.cpu().contiguous() for name, tensor in lane.stored().items()}
            metadata = {"cell": record.id, "method": record.cell.method}
            files["tuned.safetensors"] = lambda path: save_file(tensors, path, metadata=metadata)
    store.write(record, files)
    return record


def _failure(cell: Cell, error: Exception, started: datetime, options: Options) -> Record:
    task = find_suite(cell.suite).task(cell.task)
    place = traceback.extract_tb(error.__traceback__)[-1]
    first = (str(error).strip().splitlines() or [""])[0]
    return Record(
        id=cell.id,
        cell=cell,
        status="failed",
        reason=f"{type(error).__name__}: {first} ({Path(place.filename).name}:{place.lineno})",
        main_metric=task.main_metric,
        provenance=provenance(device_name(options.device)),
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def device_name(device: torch.device) -> str:
    """The accelerator's or the processor's name."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = device.type
    return f"{model}, {torch.get_num_threads()} threads"
