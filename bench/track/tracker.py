"""What a tracker is: told of one cell while it trains. No torch here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench.cell import Cell
from bench.escaping.unseen import in_a_line
from bench.report.read.names import budget_text

LONGEST = 120  # letters of a part of a name
Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Run:
    """A cell as a tracker shows it: one run, in a group with all that go into the same results folder."""

    cell: Cell
    folder: Path

    @property
    def parts(self) -> tuple[str, ...]:
        """Its name in parts, from the task to the seed; the last one has the begin of the cell's id, so that no two
        cells of a folder share a name.
        """
        cell = self.cell
        last = f"{cell.seed_label} {cell.id[:6]}"
        names = (cell.task, cell.model, cell.label, last)
        return tuple(in_a_line(name.replace("/", "_"))[:LONGEST] for name in names)

    @property
    def name(self) -> str:
        return " · ".join(self.parts)

    @property
    def group(self) -> str:
        return self.folder.resolve().name

    @property
    def settings(self) -> dict[str, Scalar]:
        """What the cell is, flat: its names, its seed, `budget.` and `settings.`, all of them."""
        cell = self.cell
        names = ("id", "suite", "task", "model", "method", "label", "seed", "stage", "protocol", "precision", "trials")
        known: dict[str, Any] = {name: getattr(cell, name) for name in names}
        known |= {"budget": budget_text(cell.budget), **_under("budget", cell.budget.model_dump())}
        known |= _under("settings", cell.settings)
        return {name: _scalar(value) for name, value in known.items()}


def _under(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}.{key}": value for key, value in values.items()}


def _scalar(value: Any) -> Scalar:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


class Tracker(ABC):
    """One run of a service: made when its cell begins, told of it, and closed when it ends.

    Many are open at once, since cells share a loop. What a tracker raises costs the cell nothing: the user reads one
    warning. A thread of its own calls it, where the command runs, whatever process or machine the cell trains in.
    """

    package: ClassVar[str] = ""  # what must be installed, by the name it is imported by

    @abstractmethod
    def __init__(self, run: Run) -> None:
        """Begin a run, with its settings."""

    @abstractmethod
    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Numbers of a step, finite ones: `train/loss` now and then, and at each evaluation `train/mean_loss` and
        `selection/METRIC`. A step may come after a later one.
        """

    @abstractmethod
    def close(self, status: str, numbers: Mapping[str, float]) -> None:
        """The end: `status` is the record's, or "interrupted"; final `score/METRIC`, `trivial/METRIC`, `costs/…` and
        `parameters/…`, finite ones.
        """
