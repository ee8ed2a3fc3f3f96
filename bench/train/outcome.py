"""What a lane came to, as a Record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.data.rows import Item
from bench.model.backbone import Backbone
from bench.model.device import device_name
from bench.model.flops import model_flops, network_of
from bench.model.peak import peak_flops
from bench.score.evaluate import Predictions
from bench.store.provenance import provenance, sharing
from bench.store.record import Costs, Counts, Parameters, Record
from bench.train.lane import Lane
from bench.train.run_data import LaneData


@dataclass(frozen=True)
class Loop:
    """What the lanes of a loop share: when it began, how rows were cut, the peak of memory, and of the time that
    belongs to no lane each one's part.

    `compile_seconds` is what compiling layers and capturing graphs took, of the whole loop: each one's part lies within
    `overhead_seconds`, and in no lane's `train_seconds`.
    """

    started: datetime
    num_lanes: int
    token_budget: int
    halvings: int  # times that a micro-batch did not fit the memory
    peak_bytes: int
    overhead_seconds: float
    compile_seconds: float = 0.0


@dataclass(frozen=True)
class Before:
    """Seconds that went before a cell's loop: its parts of loading a backbone and of encoding data."""

    load_seconds: float
    encode_seconds: float


def outcome(lane: Lane, predictions: Predictions | None, backbone: Backbone, loop: Loop, before: Before) -> Record:
    """The record of a lane that has left its loop; without `predictions` there are no scores."""
    data, cell = lane.data, lane.cell
    peak = 0.0  # of a GPU that others use too nobody can say how busy this cell kept it
    if sharing() == 1:
        peak = peak_flops(backbone.device, cell.precision) * len(backbone.devices) * backbone.ranks.count
    return Record(
        id=cell.id,
        cell=cell,
        status="done" if lane.status == "done" else "diverged" if lane.status == "diverged" else "failed",
        reason=lane.reason,
        main_metric=lane.task.main_metric,
        scores=predictions.scores if predictions else {},
        trivial=data.trivial,
        selected_step=lane.best.step if lane.best else None,
        selection_score=lane.best.rank[0] if lane.best else None,
        null_threshold=lane.null_threshold,
        found=lane.found() if lane.status == "done" else {},
        curve=lane.ledger.curve,
        counts=_counts(data, lane.method.trains),
        parameters=Parameters(
            trained=sum(tensor.numel() for tensor in lane.training_tensors().values()),
            stored=sum(tensor.numel() for tensor in lane.stored().values()),
            head=sum(tensor.numel() for tensor in lane.head.parameters()),
            backbone=backbone.geometry.parameters,
        ),
        costs=_costs(lane, loop, before, _flops(lane, backbone), peak),
        provenance=provenance(device_name(backbone.device)) | _of_backbone(backbone, loop, peak),
        started=loop.started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _counts(data: LaneData, trains: bool) -> Counts:
    return Counts(
        train=len(data.train_examples) if trains else 0,
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
    )


def _costs(lane: Lane, loop: Loop, before: Before, flops: float, peak: float) -> Costs:
    """A cell's costs. Its utilisation is that of its own share of the loop's time, which lanes share by their tokens,
    so that lanes of like methods have like ones: it says how busy the device was, not what the cell alone would reach.
    """
    ledger, start = lane.ledger, lane.start
    seconds = ledger.train_seconds
    return Costs(
        seconds=before.load_seconds + before.encode_seconds + ledger.seconds + loop.overhead_seconds,
        load_seconds=before.load_seconds,
        encode_seconds=before.encode_seconds,
        train_seconds=seconds,
        evaluate_seconds=ledger.evaluate_seconds,
        compile_seconds=loop.compile_seconds,
        steps=lane.step,
        tokens=ledger.tokens,
        forward_passes=ledger.forward_passes,
        tokens_per_second=ledger.tokens / seconds if seconds else 0.0,
        model_flops=flops,
        utilization=flops / seconds / peak if seconds and peak else None,
        peak_bytes=loop.peak_bytes,
        lanes=loop.num_lanes,
        joint_steps=start.steps if start else 0,
        joint_tokens=start.tokens if start else 0,
        joint_seconds=start.seconds if start else 0.0,
    )


def _flops(lane: Lane, backbone: Backbone) -> float:
    """Model FLOPs of a lane's training. One batch of a step goes back through the backbone, where anything that trains
    stands before its last state: not for a head alone. What a search puts through besides goes forward.
    """
    weights = lane.attachment.weights().values()
    reached = bool(list(weights)) or any(True for _ in lane.attachment.parameters()) or lane.searches
    share = 1 / lane.method.passes_per_step if reached else 0.0
    network = network_of(backbone, lane.task, weights)
    return model_flops(network, lane.ledger.tokens, lane.ledger.forward_passes, share)


def _of_backbone(backbone: Backbone, loop: Loop, peak: float) -> dict[str, Any]:
    """What the model is and has shown, how its rows were cut, which changes how a number is rounded, and the rate of
    matrix products, of all its devices, that its use of them is measured by.
    """
    shown: dict[str, Any] = {"proof": backbone.proof.record()} if backbone.proof else {}
    if backbone.code:
        shown["remote_code"] = backbone.code
    return {
        "layers": backbone.geometry.layers,
        "devices": len(backbone.devices),
        "micro_batches": "fixed" if backbone.fixed_shapes else "own",
        "token_budget": loop.token_budget,
        "halvings": loop.halvings,
        "deterministic": backbone.deterministic,
        "peak_tflops": float(f"{peak / 1e12:.4g}"),
        "compiled": bool(backbone.compiled),
        "processes": backbone.ranks.count,
        **shown,
    }


def num_cut(items: Sequence[Item]) -> int:
    """Examples some of whose text was left out for its length."""
    return len({item.example for item in items if item.cut})
