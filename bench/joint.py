"""Joint training as a plan sees it: the data sets a first stage trains on together, before each cell's own training.

A method declares it (`Method.joint`); the training itself is bench.train.joint. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.cell import Budget, JointTask
from bench.data.places import check_source, fingerprint
from bench.errors import UsageError
from bench.resolved import ResolvedCell
from bench.seeds import derive
from bench.task import Suite, Task
from bench.tuning import Joint, Method


def joint_unfit(method: Method, joint: Joint | None, task: Task, suite: Suite) -> str | None:
    """Why a task has no first stage where its method wants one, or None."""
    if joint is None:
        return None
    if method.changes_weights:
        return f"{method.name} changes the model's weights, where a first stage that several cells share would stay"
    if len(joint.tasks) > 1:
        return None
    return f"suite {suite.name!r} has no other {task.kind} task to train on together with {task.name!r} first"


class JointData:
    """The data sets of a plan's first stages, whether they were asked for as tasks or not; each is looked at once."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._fingerprints: dict[str, str] = {}
        self._checked: set[str] = set()

    def of(self, joint: Joint | None, method: Method, budgets: Mapping[str, Budget]) -> tuple[JointTask, ...]:
        """Those of one first stage, by the budgets of the suite's tasks. UsageError when one is not there."""
        return tuple(
            JointTask(
                task=task.name,
                task_version=task.version,
                data_fingerprint=self._fingerprint(task, method),
                max_length=budgets[task.name].max_length,
            )
            for task in (joint.tasks if joint else ())
        )

    def check(self, joint: Joint | None, method: Method) -> None:
        """UsageError when one of them is not where this machine should have it; no hub is asked."""
        for task in joint.tasks if joint else ():
            if task.name not in self._checked:
                self._checked.add(task.name)
                with _naming_first_stage(task, method):
                    check_source(task, self._folder, ("train",))

    def _fingerprint(self, task: Task, method: Method) -> str:
        if task.name not in self._fingerprints:
            with _naming_first_stage(task, method):
                self._fingerprints[task.name] = fingerprint(task, self._folder, ("train",))
        return self._fingerprints[task.name]


@contextmanager
def _naming_first_stage(task: Task, method: Method) -> Iterator[None]:
    """Within the block a UsageError says why a data set is wanted that nobody named."""
    try:
        yield
    except UsageError as error:
        hint = f"{method.name} trains on all {task.kind} tasks of a suite first; its settings may name fewer"
        raise UsageError(f"{error} ({hint})") from None


def stage_cells(resolved: ResolvedCell) -> list[ResolvedCell]:
    """The data sets of a cell's first stage as cells, the same ones for every cell that shares it.

    They draw from a seed of their own, so that the second stage repeats neither order nor dropout of the first.
    """
    cell = resolved.cell
    return [
        replace(
            resolved,
            task=resolved.suite.task(data_set.task),
            cell=cell.changed(
                task=data_set.task,
                task_version=data_set.task_version,
                data_fingerprint=data_set.data_fingerprint,
                data_revision=None,
                seed=derive("joint", cell.seed),
                stage="score",
                trials=0,
                budget=cell.budget.model_copy(update={"max_length": data_set.max_length}),
                joint=(),
            ),
        )
        for data_set in cell.joint
    ]


def stage_key(resolved: ResolvedCell) -> tuple[str, ...]:
    """Two cells with this in common have the same first stage."""
    cell = resolved.cell
    return (cell.suite, cell.model_path, str(cell.data_path), *(part.cell.id for part in stage_cells(resolved)))
