"""A cell with what its names stand for: looked up once, and handed on whole. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from bench.cell import Cell
from bench.registry import build, find_method, find_suite
from bench.task import Suite, Task
from bench.tuning import Method


@dataclass(frozen=True, eq=False)
class ResolvedCell:
    """A cell, the task it is measured on, the method with the cell's settings, and the suite the task is of."""

    cell: Cell
    task: Task
    method: Method
    suite: Suite


def resolve(cell: Cell) -> ResolvedCell:
    """What a cell's names stand for. UsageError for an unknown suite or method, and for settings it does not have."""
    suite = find_suite(cell.suite)
    return ResolvedCell(cell, suite.task(cell.task), build(find_method(cell.method), cell.settings), suite)
