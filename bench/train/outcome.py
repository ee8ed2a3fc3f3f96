"""What a lane came to, as a Record."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.cell import Cell
from bench.data.rows import Item
from bench.model.backbone import Backbone
from bench.registry import find_suite
from bench.score.evaluate import Predictions
from bench.score.trivial import trivial
from bench.store.provenance import provenance
from bench.store.record import Costs, Counts, Parameters, Record
from bench.train.lane import Lane


def outcome(
    lane: Lane,
    backbone: Backbone,
    predictions: Predictions | None,
    peak: int,
    overhead: float,
    num_lanes: int,
    started: datetime,
    token_budget: int,
) -> Record:
    """The record of a lane that has left its loop; `overhead` is the loop's time that belongs to no lane."""
    ledger, data, cell = lane.ledger, lane.data, lane.cell
    return Record(
        id=cell.id,
        cell=cell,
        status="done" if lane.status == "done" else "diverged" if lane.status == "diverged" else "failed",
        reason=lane.reason,
        main_metric=lane.task.main_metric,
        scores=predictions.scores if predictions else {},
        trivial=trivial(lane.task, data.train_examples, data.scored_examples) if data.scored_examples else {},
        selected_step=lane.best.step if lane.best else None,
        selection_score=lane.best.rank[0] if lane.best else None,
        null_threshold=lane.null_threshold,
        found=lane.found(),
        curve=ledger.curve,
        counts=Counts(
            train=len(data.train_examples) if lane.method.trains else 0,
            selection=len(data.selection_examples),
            scored=len(data.scored_examples),
            train_items=len(data.train),
            train_cut=num_cut(data.train),
            scored_cut=num_cut(data.scored),
            train_left_out=data.train_left_out,
            train_repaired=data.train_repaired,
            scored_repaired=data.scored_repaired,
            demonstrations=data.context.laid,
            demonstrations_cut=data.context.cut,
            demonstrations_dropped=data.context.dropped,
        ),
        parameters=Parameters(
            trained=sum(tensor.numel() for tensor in lane.training_tensors().values()),
            stored=sum(tensor.numel() for tensor in lane.stored().values()),
            head=sum(tensor.numel() for tensor in lane.head.parameters()),
            backbone=backbone.geometry.parameters,
        ),
        costs=Costs(
            seconds=ledger.seconds + overhead,
            train_seconds=ledger.train_seconds,
            evaluate_seconds=ledger.evaluate_seconds,
            steps=lane.step,
            tokens=ledger.tokens,
            forward_passes=ledger.forward_passes,
            tokens_per_second=ledger.tokens / ledger.train_seconds if ledger.train_seconds else 0.0,
            peak_bytes=peak,
            lanes=num_lanes,
            joint_steps=ledger.joint_steps,
            joint_tokens=ledger.joint_tokens,
            joint_seconds=ledger.joint_seconds,
        ),
        provenance=provenance(device_name(backbone.device)) | _of_backbone(backbone, token_budget),
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _of_backbone(backbone: Backbone, token_budget: int) -> dict[str, Any]:
    """What the model is and has shown, and how its rows were cut, which changes how a number is rounded."""
    shown = {"proof": backbone.proof.record()} if backbone.proof else {}
    return {
        "layers": backbone.geometry.layers,
        "micro_batches": "fixed" if backbone.fixed_shapes else "own",
        "token_budget": token_budget,
        "deterministic": backbone.deterministic,
        **shown,
    }


def num_cut(items: Sequence[Item]) -> int:
    """Examples some of whose text was left out for its length."""
    return len({item.example for item in items if item.cut})


def failure(cell: Cell, error: Exception, started: datetime, device: torch.device) -> Record:
    """The record of a cell that broke off, with the error and where it came from."""
    task = find_suite(cell.suite).task(cell.task)
    place = traceback.extract_tb(error.__traceback__)[-1]
    first = (str(error).strip().splitlines() or [""])[0]
    return Record(
        id=cell.id,
        cell=cell,
        status="failed",
        reason=f"{type(error).__name__}: {first} ({Path(place.filename).name}:{place.lineno})",
        main_metric=task.main_metric,
        provenance=provenance(device_name(device)),
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
