"""The cells behind the numbers, as data for the page's script: small enough for a page of ten thousand."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bench.report.page.predictions import PredictionSamples, spaced
from bench.report.read.frame import model_sizes
from bench.report.read.names import model_names
from bench.report.read.outcomes import Outcome
from bench.report.statistics.samples import AVERAGE
from bench.report.tables.numbers import count_text, percent_text, rate_text
from bench.report.tables.report import Report
from bench.store.record import Costs, Counts, Parameters, Part

MOST_POINTS = 24  # of a curve
MOST_CURVES = 2000  # cells with their curve
MOST_SAMPLED = 400  # cells with a sample of predictions
CELL_FIELDS = (
    "id", "entry", "seed", "status", "reason", "scores", "selected_step", "selection_score", "curve", "counts",
    "parameters", "costs", "settings", "setup", "provenance", "started", "tried", "examples", "said", "right",
)  # fmt: skip
PARTS: dict[str, type[Part]] = {"counts": Counts, "parameters": Parameters, "costs": Costs}
EntryKey = tuple[str, str, str, str]  # suite, model, label, task


@dataclass
class SharedValues:
    """Values that many cells share, each once."""

    values: list[Any] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    _as_written: dict[str, int] = field(default_factory=dict)

    def place(self, value: Any) -> int:
        """Where the value stands, added when it is new."""
        written = repr(value)  # sooner there than its JSON
        if written not in self._as_written:
            self._as_written[written] = self._place_of(value)
        return self._as_written[written]

    def _place_of(self, value: Any) -> int:
        text = json.dumps(value, sort_keys=True, default=str)
        if text not in self._places:
            self._places[text] = len(self.values)
            self.values.append(json.loads(text))
        return self._places[text]


@dataclass(frozen=True)
class Embedded:
    """`data` for the script; `entries` says which of its entries lies behind a number of the tables."""

    data: dict[str, Any]
    entries: dict[EntryKey, int]
    outcomes: tuple[Outcome, ...]
    left_out: tuple[str, ...]


def embed(report: Report, num_samples: int) -> Embedded:
    """All cells of a report with what they came to; of many, curves and predictions are left out, and `left_out` says
    so.
    """
    cells = report.frame.drop_duplicates(["suite", "id"])
    by_suite_and_id = {(outcome.cell.suite, outcome.cell.id): outcome for outcome in report.outcomes}
    entries = _Entries(report)
    keyed = [
        (by_suite_and_id[suite, cell_id], entries.place((suite, model, label, task)))
        for suite, cell_id, model, label, task in zip(
            *(cells[name] for name in ("suite", "id", "model", "label", "task")), strict=True
        )
    ]
    done = [number for number, (outcome, _) in enumerate(keyed) if outcome.record and outcome.record.status == "done"]
    order = _seeds_in_turn(done, [place for _, place in keyed])
    curves, sampled = set(order[:MOST_CURVES]), set(order[:MOST_SAMPLED])
    samples = PredictionSamples(num_samples)
    settings, setups, provenance, trials = SharedValues(), SharedValues(), SharedValues(), SharedValues()
    by_id = {outcome.cell.id: outcome for outcome in report.outcomes}
    rows = []
    for number, (outcome, place) in enumerate(keyed):
        entry = entries.values[place]
        entry["cells"].append(number)
        row = {"id": outcome.cell.id, "entry": place, "seed": outcome.cell.seed, "status": "missing"}
        row |= {"reason": outcome.reason or None}
        row |= {"settings": settings.place(outcome.cell.settings), "setup": setups.place(_setup(outcome))}
        if outcome.cell.tried:
            row |= {"tried": trials.place([_trial(by_id.get(trial_id), trial_id) for trial_id in outcome.cell.tried])}
        if outcome.record is not None:
            row |= {"provenance": provenance.place(outcome.record.provenance)}
            row |= _outcome(outcome, entry["metrics"], number in curves)
        if number in sampled:
            row |= samples.of(outcome)
        rows.append(_trimmed([row.get(name) for name in CELL_FIELDS]))
    data = {
        "columns": CELL_FIELDS,
        "rows": rows,
        "entries": entries.values,
        "fields": {name: list(part.model_fields) for name, part in PARTS.items()},
        "settings": settings.values,
        "setups": setups.values,
        "provenance": provenance.values,
        "trials": trials.values,
        "examples": samples.examples,
        "models": _models(report),
    }
    in_order = tuple(outcome for outcome, _ in keyed)
    return Embedded(data, entries.places, in_order, _left_out(len(done), len(rows), num_samples))


def _left_out(num_done: int, num_cells: int, num_samples: int) -> tuple[str, ...]:
    where = "in the results folder: `bench show ID`, and NAME/cells/ID/predictions.parquet"
    notes = []
    if num_done > MOST_CURVES:
        notes.append(f"The curves of {num_done - MOST_CURVES:,} of {num_cells:,} cells; they lie {where}.")
    if not num_samples:
        notes.append(f"All predictions, as was asked for; they lie {where}.")
    elif num_done > MOST_SAMPLED:
        left = num_done - MOST_SAMPLED
        notes.append(f"The samples of predictions of {left:,} of {num_cells:,} cells; they lie {where}.")
    return tuple(notes)


def _seeds_in_turn(cells: Sequence[int], entry_of: Sequence[int]) -> list[int]:
    """The cells in an order that gives every entry its first seed before any its second."""
    turn: dict[int, int] = {}
    keyed = []
    for cell in cells:
        seen = turn[entry_of[cell]] = turn.get(entry_of[cell], -1) + 1
        keyed.append((seen, cell))
    return [cell for _, cell in sorted(keyed)]


class _Entries:
    """What stands behind the numbers: per line, model and task the statistics, and the places of the cells."""

    def __init__(self, report: Report) -> None:
        self.values: list[dict[str, Any]] = []
        self.places: dict[EntryKey, int] = {}
        versus = {}
        for row in report.comparisons.to_dict("records"):
            versus[row["suite"], row["model"], row["label"], row["task"], row["metric"]] = row
        every = pd.concat([report.summary, report.averages], ignore_index=True)
        for row in every.sort_values("main", ascending=False, kind="stable").to_dict("records"):
            key: EntryKey = (row["suite"], row["model"], row["label"], row["task"])
            entry = self.values[self.place(key, row["method"])]
            entry["metrics"].append(row["metric"])
            entry["stats"].append(_statistics(row, versus.get((*key, row["metric"]))))
        for (suite, model, label, task), place in list(self.places.items()):
            if task == AVERAGE:
                parts = [self.places.get((suite, model, label, part)) for part in report.averaged.get(suite, ())]
                self.values[place]["parts"] = [part for part in parts if part is not None]

    def place(self, key: EntryKey, method: str = "") -> int:
        """The entry's place, made when it is new."""
        if key not in self.places:
            self.places[key] = len(self.values)
            suite, model, label, task = key
            self.values.append(
                {"suite": suite, "model": model, "label": label, "task": task, "method": method, "metrics": [],
                 "stats": [], "cells": []}
            )  # fmt: skip
        return self.places[key]


def _statistics(row: dict[Hashable, Any], versus: dict[Hashable, Any] | None) -> dict[str, Any]:
    names = ("metric", "mean", "sd", "n", "expected", "low", "high", "iqm", "trivial")
    stats = {name: short(row.get(name)) for name in names}
    if versus is not None:
        kept = (
            "reference", "margin", "difference", "tested_low", "tested_high", "verdict", "improvement", "p_equivalent",
            "p_different",
        )  # fmt: skip
        stats["versus"] = {name: short(versus.get(name)) for name in kept} | {
            "level": percent_text(float(versus["level"])), "about": versus["about"], "note": "; ".join(versus["note"]),
            "collapsed": rate_text(*(float(versus[name]) for name in ("runs", "collapsed", "collapse_bound"))),
        }  # fmt: skip
    return stats


def _trial(outcome: Outcome | None, trial_id: str) -> list[Any]:
    """A trial's id, what it drew, its score on the selection rows, and its status."""
    if outcome is None or outcome.record is None:
        return [trial_id, {}, None, "missing"]
    record = outcome.record
    return [trial_id, outcome.cell.drawn, short(record.selection_score, 5), record.status]


def _outcome(outcome: Outcome, metrics: Iterable[str], with_curve: bool) -> dict[str, Any]:
    record = outcome.record
    assert record is not None
    row: dict[str, Any] = {"status": record.status, "reason": record.reason, "started": record.started}
    if record.curve and with_curve:
        row["curve"] = _curve(outcome)
    row |= {"selected_step": record.selected_step, "selection_score": short(record.selection_score, 5)}
    if record.status != "done":
        return row
    row["scores"] = [short(record.scores.get(metric), 5) for metric in metrics]
    for name in PARTS:
        part: Part = getattr(record, name)
        row[name] = [short(getattr(part, each), 4) for each in PARTS[name].model_fields]
    return row


def _curve(outcome: Outcome) -> list[list[Any]]:
    """Steps, losses and main scores of at most MOST_POINTS points, the selected one and the ends among them."""
    record = outcome.record
    assert record is not None
    points = record.curve
    if len(points) > MOST_POINTS:
        kept = {0, len(points) - 1, *spaced(len(points), MOST_POINTS - 3)}
        kept |= {at for at, point in enumerate(points) if point.step == record.selected_step}
        points = [points[at] for at in sorted(kept)]
    return [
        [point.step for point in points],
        [short(point.train_loss, 4) for point in points],
        [short(point.scores.get(record.main_metric), 4) for point in points],
    ]


def _setup(outcome: Outcome) -> dict[str, Any]:
    """How a cell was measured, but for what its entry and its settings say."""
    cell = outcome.cell
    names = (
        "protocol", "precision", "task_version", "data_fingerprint", "data_path", "data_revision", "model",
        "model_path", "model_fingerprint", "results_version",
    )  # fmt: skip
    budget = {name: value for name, value in vars(cell.budget).items() if value is not None}
    kept = {name: getattr(cell, name) for name in names}
    return {"results": outcome.results, **budget, **{k: v for k, v in kept.items() if v is not None}}


def _models(report: Report) -> dict[str, dict[str, Any]]:
    """Per model its short name and its parameters."""
    texts = model_names(report.frame["model"])
    sizes = model_sizes(report.frame)
    return {
        model: {"text": text, "parameters": short(sizes[model], 12), "size": count_text(float(sizes[model]))}
        for model, text in texts.items()
    }


def short(value: Any, figures: int = 6) -> Any:
    """A number to so many figures, None where it is none (NaN, infinite); counts and texts as they are."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        return None
    number = float(f"{number:.{figures}g}")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _trimmed(row: list[Any]) -> list[Any]:
    """The row without the Nones at its end."""
    while row and row[-1] is None:
        row.pop()
    return row
