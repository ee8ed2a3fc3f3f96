"""What a line costs a user, over some tasks: what is kept, what trains, and one cell's memory and time alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.report.read.alone import MEASURED
from bench.report.read.names import natural
from bench.report.tables.numbers import bytes_text, seconds_text

FLOAT = 4  # bytes: trained values are kept in single precision, whatever the model is run in
PREDICTED_SECONDS, MOST_BYTES = "≈", "≤"


@dataclass(frozen=True)
class LineCosts:
    """Bytes of what is kept for a task, the most over the tasks; trained parameters likewise; the most memory of a cell
    and the mean seconds of training and evaluating one, alone. `measured`: of all its cells; else predicted.
    """

    stored_bytes: float = math.nan
    trained: float = math.nan
    peak_bytes: float = math.nan
    seconds: float = math.nan
    measured: bool = True

    def order(self, label: str) -> tuple[float, float, str]:
        """A key that puts the cheapest first: by stored bytes, then by what trains."""
        size, trained = (math.inf if math.isnan(value) else value for value in (self.stored_bytes, self.trained))
        return size, trained, natural(label)

    @property
    def memory_text(self) -> str:
        return self._marked(MOST_BYTES, bytes_text(self.peak_bytes), self.peak_bytes)

    @property
    def time_text(self) -> str:
        return self._marked(PREDICTED_SECONDS, seconds_text(self.seconds), self.seconds)

    def _marked(self, mark: str, text: str, value: float) -> str:
        return text if self.measured or math.isnan(value) else f"{mark} {text}"


def line_costs(frame: pd.DataFrame, suite: str) -> dict[str, dict[tuple[str, str], LineCosts]]:
    """By task, and by model and label, of the finished cells of a suite."""
    cells = frame[(frame["suite"] == suite) & (frame["status"] == "done") & frame["main"]]
    cells = cells.assign(measured=cells["alone"] == MEASURED)
    columns = {"stored_parameters": "max", "trained_parameters": "max", "alone_peak_bytes": "max",
               "alone_seconds": "mean", "measured": "all"}  # fmt: skip
    found: dict[str, dict[tuple[str, str], LineCosts]] = {}
    for key, stored, trained, peak, seconds, measured in (
        cells.groupby(["task", "model", "label"]).agg(columns).itertuples(name=None)
    ):
        task, model, label = map(str, key)
        costs = LineCosts(
            FLOAT * float(stored), float(trained), float(peak) or math.nan, float(seconds), bool(measured)
        )
        found.setdefault(task, {})[model, label] = costs
    return found


def over_tasks(parts: Sequence[Mapping[tuple[str, str], LineCosts]]) -> dict[tuple[str, str], LineCosts]:
    """Of the lines that have costs on any of these tasks: the most of a task, of seconds their mean."""
    lines = dict.fromkeys(line for part in parts for line in part)
    return {line: _together([part[line] for part in parts if line in part]) for line in lines}


def _together(costs: Sequence[LineCosts]) -> LineCosts:
    return LineCosts(
        stored_bytes=max(each.stored_bytes for each in costs),
        trained=max(each.trained for each in costs),
        peak_bytes=max(each.peak_bytes for each in costs),
        seconds=sum(each.seconds for each in costs) / len(costs),
        measured=all(each.measured for each in costs),
    )
