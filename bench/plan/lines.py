"""The lines of a grid: a method with what somebody gave of its settings, and which of its settings serve a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.cell import Budget, Precision, settings_text
from bench.errors import UnfitModel, UsageError, unknown
from bench.joint import joint_unfit
from bench.model.precisions import cannot_be
from bench.model.source import ModelSource
from bench.plan.budgets import BUDGET
from bench.plan.design import draw
from bench.registry import ALL, build, find_method, methods, named_methods
from bench.task import Suite, Task
from bench.tuning import Method

Given = Mapping[str, Mapping[str, Any]]  # method -> setting -> value, or -> values of a sweep


@dataclass(frozen=True)
class Line:
    """One line of the tables: a method with the settings somebody gave, and how many settings its trials have at most.

    `first` are the settings without trials; `num_settings` is 1 where there are none. `named`: somebody asked for just
    this method, so that it is an error where it does not fit; of all methods it is one that is left out.
    """

    given: dict[str, Any]
    base: dict[str, Any]
    first: Method
    trials: int
    num_settings: int
    named: bool

    @property
    def label(self) -> str:
        marks = ", ".join(f"{name}={value}" for name, value in sorted(self.given.items()))
        return f"{self.first.name} ({marks})" if marks else self.first.name

    @property
    def fixed(self) -> set[str]:
        """The settings that trials leave alone: the given ones, and all where there are no trials."""
        return set(self.given) | (set() if self.trials else set(self.first.space))

    def drawn(self, method: Method) -> dict[str, Any]:
        """What one of its methods has of the space."""
        settings = method.model_dump(mode="json")
        return {name: settings[name] for name in method.space if name not in self.given}


def lines(suite: Suite, chosen: tuple[str, ...], settings: Given, sweep: Given, trials: int) -> list[Line]:
    """Per method its lines: one, or one for each combination of the values it is swept over. `all` asks for all."""
    for name in suite.settings:
        if name not in methods():
            raise unknown(f"method in the settings of suite {suite.name!r}", name, methods())
    kinds = {name: find_method(name) for name in named_methods(chosen)}
    for flag, asked in (("set", settings), ("sweep", sweep)):
        for name in asked:
            if name not in kinds and not (flag == "sweep" and name == BUDGET):
                find_method(name)
                raise UsageError(f"--{flag} {name}.…: method {name!r} is not in this run; add it to --methods")
    planned = []
    for name, kind in kinds.items():
        fixed, swept = settings.get(name, {}), sweep.get(name, {})
        for setting in swept:
            if setting in fixed:
                raise UsageError(f"{name}.{setting} is given by --set and by --sweep; leave one of them out")
        for values in product(*swept.values()):
            given = {**fixed, **dict(zip(swept, values, strict=True))}
            base = {**suite.settings.get(name, {}), **given}
            number = len(draw(kind, base, given, trials)) if trials else 1
            planned.append(Line(given, base, build(kind, base), trials, number, named=ALL not in chosen or bool(given)))
    return planned


def fitting(
    line: Line, task: Task, model: ModelSource, suite: Suite, budgets: Mapping[str, Budget], precision: Precision
) -> tuple[list[Method], list[tuple[str, str]]]:
    """The line's methods for a task on a model, the first one first; and what cannot serve there, with the reasons.

    Trials pass over settings that do not serve there; they are named only where too few are left. UnfitModel when the
    settings that were given do not fit the model's positions; of settings drawn that is a reason.
    """
    reasons: list[tuple[str, str]] = []

    def fit(drawn: Method) -> Method | None:
        method = _with_head(drawn, task, line.given)
        joint = method.joint(task, suite)
        reason = method.unfit(task, model) or joint_unfit(method, joint, task, suite)
        reason = reason or cannot_be(precision, model, method.changes_weights, method.name)
        read = joint.tasks if joint else (task,)
        beyond = next(filter(None, (_beyond_positions(method, model, text, budgets[text.name]) for text in read)), None)
        if beyond and not reason and drawn == line.first and line.named:
            raise UnfitModel(beyond)
        if reason or beyond:
            reasons.append((f"{line.label} as {settings_text(line.drawn(method))}", reason or beyond or ""))
            return None
        return method

    drawn_for = (model.fingerprint, task.name)
    serving = draw(type(line.first), line.base, line.fixed, line.num_settings, drawn_for, fit)
    if not serving:  # the first reason says it all
        return [], [(line.label, reasons[0][1])]
    return serving, reasons if len(serving) < line.num_settings else []


def notes(planned: Sequence[Line]) -> tuple[str, ...]:
    """What a user should know: lines with fewer trials than were asked for, and those whose steps are more work."""
    lacking = tuple(
        f"{line.label}: its space holds {line.num_settings} of the {line.trials} settings that were asked for"
        for line in planned
        if line.num_settings < line.trials
    )
    passes = tuple(
        f"{line.label}: a step puts {count} batches through the backbone, and one back; other methods' steps one"
        for line in planned
        if (count := line.first.passes_per_step) > 1
    )
    return lacking + passes


def _with_head(method: Method, task: Task, given: Mapping[str, Any]) -> Method:
    """A task without a cloze form gets the linear head, unless somebody asked for the verbalizer by name."""
    if method.head == "verbalizer" and not task.has_cloze and "head" not in given:
        return method.model_copy(update={"head": "linear"})
    return method


def _beyond_positions(method: Method, model: ModelSource, task: Task, budget: Budget) -> str | None:
    """Why prompt and text do not fit the model's absolute positions, or None."""
    slots = method.positions()
    needed = slots + budget.max_length
    if model.positions and needed > model.positions:
        text = f"{budget.max_length} text tokens"
        asked = f"{slots} prompt positions + {text} = {needed}" if slots else text
        mend = f"{method.name}.length or --max-length" if slots else "--max-length"
        return (
            f"{method.name} on {task.name}: {asked}, but model {model.name!r} has {model.positions} positions; "
            f"lower {mend}"
        )
    return None
