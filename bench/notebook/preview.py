"""What a call would run: `bench run --plan` as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pandas as pd
from markupsafe import escape
from rich.console import Console

from bench.cell import Cell, Plan, Skip
from bench.escaping.terminal import Screen
from bench.plan.selection import Outstanding
from bench.report.read.names import budget_text

COLUMNS = ("id", "task", "model", "method", "label", "head", "seed", "budget", "state", "reason")
WIDTH = 100  # columns of the text


class Preview(pd.DataFrame):
    """The cells of a grid and what was left out of it, a row each; `text` is what `bench run --plan` says beside them.

    `state` is "to run", "done", "waiting" for what trials will choose, "over" of a trial that is, or "skipped", with
    the `reason`.
    """

    _metadata = ["text"]

    def __init__(self, plan: Plan, left: Outstanding, text: str) -> None:
        super().__init__(_rows(plan, left), columns=list(COLUMNS))  # type: ignore[call-arg]
        self.text = text

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def _repr_html_(self) -> str:
        rows = pd.DataFrame(self)._repr_html_()  # type: ignore[operator]
        return f"<pre>{escape(self.text)}</pre>{rows}"


@contextmanager
def captured(text: list[str]) -> Iterator[Console]:
    """Within the block a console whose lines come to `text` in the end."""
    lines = StringIO()
    yield Screen(file=lines, width=WIDTH, force_jupyter=False, force_terminal=False, color_system=None)
    text.append(lines.getvalue())


def _rows(plan: Plan, left: Outstanding) -> list[dict[str, Any]]:
    missing = {cell.id for cell in (*left.trials, *left.cells)}
    rows = [_row(cell, "to run" if cell.id in missing else "over") for cell in plan.trials]
    rows += [_row(cell, "to run" if cell.id in missing else "done") for cell in left.choice.cells]
    rows += [_row(cell, "waiting") | {"id": ""} for cell in left.choice.waiting]  # it depends on the choice
    return rows + _skipped((*plan.skips, *left.choice.skips))


def _row(cell: Cell, state: str) -> dict[str, Any]:
    return {
        "id": cell.id,
        "task": cell.task,
        "model": cell.model,
        "method": cell.method,
        "label": cell.label,
        "head": str(cell.settings.get("head", "")),
        "seed": cell.seed_label.removeprefix("seed "),
        "budget": budget_text(cell.budget),
        "state": state,
        "reason": "",
    }


def _skipped(skips: Sequence[Skip]) -> list[dict[str, Any]]:
    names = ("id", "head", "seed", "budget")
    return [
        {
            **dict.fromkeys(names, ""),
            "task": skip.task,
            "model": skip.model,
            "method": skip.method.partition(" (")[0],
            "label": skip.method,
            "state": "skipped",
            "reason": skip.reason,
        }
        for skip in skips
    ]
