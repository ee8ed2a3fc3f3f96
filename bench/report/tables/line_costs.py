"""What a line costs a user, over some tasks: what is kept, what trains, and one cell's memory and time alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def line_costs(frame: pd.DataFrame, suite: str, tasks: Sequence[str]) -> dict[tuple[str, str], LineCosts]:
    """By model and label, of the finished cells of a suite on these tasks."""
    cells = frame[(frame["suite"] == suite) & frame["task"].isin(list(tasks)) & (frame["status"] == "done")]
    found = {}
    for (model, label), of_line in cells.drop_duplicates("id").groupby(["model", "label"]):
        found[str(model), str(label)] = LineCosts(
            FLOAT * float(of_line["stored_parameters"].max()),
            float(of_line["trained_parameters"].max()),
            float(of_line["alone_peak_bytes"].max()) or math.nan,
            float(of_line.groupby("task")["alone_seconds"].mean().mean()),
            bool((of_line["alone"] == MEASURED).all()),
        )
    return found
