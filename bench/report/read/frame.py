"""Results folders as one tidy table: a row per cell and metric, planned cells that have no result among them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from bench.report.read.alone import alone_costs
from bench.report.read.names import budget_text, line_names
from bench.report.read.outcomes import Outcome, outcomes
from bench.store.record import Record
from bench.store.store import Store

FRAME_COLUMNS = (
    "id", "suite", "task", "model", "method", "label", "head", "seed", "protocol", "budget", "max_length", "precision",
    "metric", "main", "score", "trivial", "status", "reason",
    "backbone_parameters", "backbone_layers", "trained_parameters", "stored_parameters",
    "seconds", "load_seconds", "encode_seconds", "compile_seconds", "train_seconds", "evaluate_seconds",
    "store_seconds", "tokens_per_second", "utilization", "peak_bytes", "lanes", "alone", "alone_seconds",
    "alone_peak_bytes", "steps", "forward_passes", "joint_steps",
    "scored_rows", "scored_cut", "results", "trials", "settings", "given",
)  # fmt: skip
NAN = math.nan
MEASURED = (
    "seconds", "load_seconds", "encode_seconds", "train_seconds", "evaluate_seconds", "store_seconds",
    "tokens_per_second",
)  # of a record's costs, as they stand there  # fmt: skip


def frame(stores: Iterable[Store], problems: list[str] | None = None) -> pd.DataFrame:
    """The outcomes in results folders as `scored` makes a table of them; `problems` as for `outcomes`."""
    return scored(outcomes(stores, problems))


def scored(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """One row per metric and cell that is scored, but for those of `--vary` and trials; columns FRAME_COLUMNS.

    `score` and `trivial` run from 0 to 100 and are NaN where the status is missing, failed or diverged (`trivial` is
    kept where a failed record has it). `label` is the cell's, with more words where needed (see read.names).
    `settings` are all of the method's settings, `given` those somebody set, each as a dict; `trials` is the number of
    settings that they were chosen from, 0 where they were given. Parameters are numbers of scalars;
    `backbone_parameters` and `backbone_layers` are filled in from other cells of the same model.
    """
    table, streams = _with_streams(outcomes)
    ordinary = [cell_id for cell_id, seeds in streams.items() if not seeds]
    return table[table["id"].isin(ordinary)].reset_index(drop=True)


def varied(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """The cells of `--vary`, in the columns FRAME_COLUMNS with `stream` and `stream_seed`, a row per metric.

    Each stream's rows have the ordinary cell at the first seed among them, at which that stream's seed is the same.
    """
    if not any(outcome.cell.streams for outcome in outcomes if outcome.cell.stage == "score"):
        return pd.DataFrame(columns=[*FRAME_COLUMNS, "stream", "stream_seed"])
    table, streams = _with_streams(outcomes)
    alone = [next(iter(streams[cell_id].items()), ("", 0)) for cell_id in table["id"]]
    table = table.assign(stream=[stream for stream, _ in alone], stream_seed=[seed for _, seed in alone])
    entry = ["suite", "task", "model", "label", "metric", "seed"]
    bases = table[table["stream"] == ""].drop(columns=["stream", "stream_seed"])
    alone_rows = table[table["stream"] != ""]
    bases = bases.merge(alone_rows[[*entry, "stream"]].drop_duplicates(), on=entry)
    bases["stream_seed"] = bases["seed"]
    both = pd.concat([alone_rows, bases], ignore_index=True)
    return both.sort_values([*entry, "stream", "stream_seed"], ignore_index=True)


def _with_streams(outcomes: Sequence[Outcome]) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """The rows of all scoring cells, and by id the streams with seeds of their own."""
    scoring = [outcome for outcome in outcomes if outcome.cell.stage == "score"]
    return _rows(scoring), {outcome.cell.id: outcome.cell.streams for outcome in scoring}


def _rows(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """A row per metric of each of these outcomes, with the columns FRAME_COLUMNS; see `scored`."""
    names = line_names([outcome.cell for outcome in outcomes])
    metrics = _metrics(outcomes)
    sizes = _backbones(outcomes, lambda record: record.parameters.backbone)
    depths = _backbones(outcomes, lambda record: record.provenance.get("layers", 0))
    rows = []
    for outcome, label in zip(outcomes, names, strict=True):
        model = outcome.cell.model
        common = _common(outcome, label, sizes.get(model, NAN)) | {"backbone_layers": depths.get(model, NAN)}
        rows += [common | measured for measured in _measured(outcome.record, metrics[outcome.cell.task])]
    return pd.DataFrame(rows, columns=list(FRAME_COLUMNS))


def _metrics(outcomes: Sequence[Outcome]) -> dict[str, dict[str, bool]]:
    """Per task the metrics that any of its records knows, and whether each is the main one."""
    known: dict[str, dict[str, bool]] = defaultdict(dict)
    for outcome in outcomes:
        if outcome.record is not None:
            record = outcome.record
            for metric in (record.main_metric, *record.scores):
                known[outcome.cell.task][metric] = metric == record.main_metric
    return known


def _backbones(outcomes: Sequence[Outcome], size: Callable[[Record], float]) -> dict[str, float]:
    """Per model a size of its backbone, for the models of which some record says it."""
    return {
        outcome.cell.model: float(size(outcome.record))
        for outcome in outcomes
        if outcome.record is not None and size(outcome.record)
    }


def _common(outcome: Outcome, label: str, backbone_parameters: float) -> dict[str, Any]:
    """What all rows of a cell share."""
    cell, record = outcome.cell, outcome.record
    done = record if record is not None and record.status == "done" else None
    return {
        "id": record.id if record is not None else cell.id,
        "suite": cell.suite,
        "task": cell.task,
        "model": cell.model,
        "method": cell.method,
        "label": label,
        "head": str(cell.settings.get("head", "")),
        "seed": cell.seed,
        "protocol": cell.protocol,
        "budget": budget_text(cell.budget),
        "max_length": cell.budget.max_length,
        "precision": cell.precision,
        "status": record.status if record is not None else "missing",
        "reason": (record.reason or "") if record is not None else outcome.reason,
        "backbone_parameters": backbone_parameters,
        "trained_parameters": float(done.parameters.trained) if done else NAN,
        "stored_parameters": float(done.parameters.stored) if done else NAN,
        **{name: _cost(done, name) for name in MEASURED},
        "compile_seconds": _number(done.costs.own_compile_seconds if done else None),
        "utilization": _number(done.utilization if done else None),
        "peak_bytes": float(done.costs.peak_bytes) if done else NAN,
        **alone_costs(done, outcome.alone),
        "steps": float(done.costs.steps) if done else NAN,
        "forward_passes": float(done.costs.forward_passes or NAN) if done else NAN,
        "joint_steps": float(done.costs.joint_steps) if done else NAN,
        "scored_rows": float(done.counts.scored) if done else NAN,
        "scored_cut": float(done.counts.scored_cut) if done else NAN,
        "results": outcome.results,
        "trials": cell.trials,
        "settings": dict(cell.settings),
        "given": dict(cell.given),
    }


def _cost(done: Record | None, name: str) -> float:
    """A cost of a finished record; NaN where it was not measured."""
    return _number(getattr(done.costs, name) if done else None)


def _number(value: float | None) -> float:
    return NAN if value is None else float(value)


def _measured(record: Record | None, known: dict[str, bool]) -> list[dict[str, Any]]:
    """One piece of a row per metric; a task of which nothing is known has one row with an unnamed main metric."""
    scores = record.scores if record is not None and record.status == "done" else {}
    trivial = record.trivial if record is not None else {}
    return [
        {"metric": metric, "main": main, "score": scores.get(metric, NAN), "trivial": trivial.get(metric, NAN)}
        for metric, main in (known or {"": True}).items()
    ]


def model_sizes(frame: pd.DataFrame) -> pd.Series[float]:
    """Backbone parameters by model, in the order of the models' names; NaN where no cell of a model knows them."""
    return frame.groupby("model")["backbone_parameters"].max()
