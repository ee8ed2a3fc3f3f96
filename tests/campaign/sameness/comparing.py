"""What two results folders say of the same cell: whether it has the same bits, else how far the numbers lie apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file

# of a record, what was measured; all else says where, when and at what cost
MEASURED = (
    "id", "status", "reason", "main_metric", "scores", "trivial", "selected_step", "selection_score", "null_threshold",
    "found", "curve", "counts", "parameters",
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """How far a cell's numbers in one folder lie from those in another.

    `scores` in points, `probabilities` from 0 to 1, `tensors` as a share of the largest number in a tensor, `losses` of
    the curve as a share. `answers` are scored examples that were answered otherwise, and `margin` is the largest lead
    in probability that the first folder's answer had on one of them.
    """

    cell: str
    fields: tuple[str, ...] = ()  # of the record that are not the same, and files whose bytes are not
    scores: float = 0.0
    probabilities: float = 0.0
    tensors: float = 0.0
    losses: float = 0.0
    answers: int = 0
    margin: float = 0.0

    @property
    def same_bits(self) -> bool:
        return not self.fields


def compared(one: Path, other: Path) -> list[Difference]:
    """Each cell of two results folders. A cell that is in one of them alone is an id that is not the same."""
    first, second = ({path.name for path in (folder / "cells").iterdir()} for folder in (one, other))
    alone = [Difference(cell, ("id",), float("inf")) for cell in sorted(first ^ second)]
    return alone + [_compared(one / "cells" / cell, other / "cells" / cell) for cell in sorted(first & second)]


def _compared(one: Path, other: Path) -> Difference:
    first, second = (json.loads((folder / "record.json").read_text()) for folder in (one, other))
    fields = [name for name in MEASURED if first.get(name) != second.get(name)]
    apart: dict[str, Any] = {"losses": _losses(first, second), "scores": _scores(first, second)}
    if (one / "predictions.parquet").exists() or (other / "predictions.parquet").exists():
        rows, others = (pq.read_table(folder / "predictions.parquet").to_pylist() for folder in (one, other))
        if _text(rows) != _text(others):
            fields.append("predictions.parquet")
        apart |= _answers(rows, others)
    tuned = [folder / "tuned.safetensors" for folder in (one, other)]
    if tuned[0].exists() != tuned[1].exists() or (tuned[0].exists() and len({path.read_bytes() for path in tuned}) > 1):
        fields.append("tuned.safetensors")
    if all(path.exists() for path in tuned):
        apart["tensors"] = _tensors(*tuned)
    name = f"{one.name} ({first['cell']['task']}, {first['cell']['method']}, seed {first['cell']['seed']})"
    return Difference(name, tuple(fields), **apart)


def _text(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows)  # every bit of a float, and NaN is NaN


def _scores(first: dict[str, Any], second: dict[str, Any]) -> float:
    if first["status"] != second["status"] or first["scores"].keys() != second["scores"].keys():
        return float("inf")
    return max((abs(value - second["scores"][name]) for name, value in first["scores"].items()), default=0.0)


def _losses(first: dict[str, Any], second: dict[str, Any]) -> float:
    pairs = [
        (point["train_loss"], again["train_loss"])
        for point, again in zip(first["curve"], second["curve"], strict=False)
        if point["train_loss"] is not None and again["train_loss"] is not None
    ]
    return max((abs(one - other) / max(abs(one), 1e-3) for one, other in pairs), default=0.0)


def _answers(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> dict[str, Any]:
    """Probabilities are compared where both folders have them over the same candidates."""
    apart, answers, margin = 0.0, 0, 0.0
    for row, again in zip(rows, others, strict=True):
        ours, theirs = row["probabilities"] or [], again["probabilities"] or []
        alike = row["predicted"] == again["predicted"]
        if len(ours) == len(theirs) and row["candidates"] == again["candidates"]:
            apart = max([apart, *(abs(a - b) for a, b in zip(ours, theirs, strict=True))])
        if not alike:
            answers += 1
            best = sorted(ours, reverse=True)
            margin = max(margin, best[0] - best[1] if len(best) > 1 and row["candidates"] else 0.0)
    return {"probabilities": apart, "answers": answers, "margin": margin}


def _tensors(one: Path, other: Path) -> float:
    first, second = load_file(one), load_file(other)
    if first.keys() != second.keys():
        return float("inf")
    apart = 0.0
    for name, values in first.items():
        a, b = (np.asarray(each, np.float64) for each in (values, second[name]))
        if a.size:
            apart = max(apart, float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6)))
    return apart
