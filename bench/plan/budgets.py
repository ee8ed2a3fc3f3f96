"""What every method gets alike: the budget of each task, or several budgets to compare, each a run of its own."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from pydantic import ValidationError

from bench.cell import Budget
from bench.errors import UsageError, shown, unknown
from bench.task import Suite, Task

BUDGET = "budget"  # the name by which --sweep takes it, where else a method's stands
SWEPT = ("epochs", "steps", "batch_size", "train_rows")  # the fields that say how long, and on what, a method trains


def budgets(suite: Suite, changes: Mapping[str, Any], swept: Mapping[str, tuple[Any, ...]]) -> list[dict[str, Budget]]:
    """The suite's budgets by task, with what was asked for: one, or one for each combination of the swept values.

    UsageError for a field that cannot be swept or was given too, and for values that a budget cannot have.
    """
    for name in swept:
        if name not in SWEPT:
            raise unknown("field of the budget to sweep", name, SWEPT)
        if name in changes:
            flag = name.replace("_", "-")
            raise UsageError(f"the budget's {name} are given by --{flag} and by --sweep; leave one of them out")
    if {"epochs", "steps"} <= swept.keys() or ("epochs" in swept and "steps" in changes):
        raise UsageError("steps go before epochs, which would change nothing; leave one of them out of the budget")
    every: list[dict[str, Budget]] = []
    for values in product(*swept.values()):
        wanted = {**changes, **dict(zip(swept, values, strict=True))}
        for name, value in zip(swept, values, strict=True):
            if isinstance(value, bool):
                raise UsageError(f"{BUDGET}.{name}={shown(value)} is not possible: it is no switch")
        every.append({task.name: _budget(suite, task, wanted, swept) for task in suite.tasks})
    return every


def _budget(suite: Suite, task: Task, changes: dict[str, Any], swept: Mapping[str, Any]) -> Budget:
    """What the suite says, but the text length the task wants, and before either what was asked for."""
    length = {"max_length": task.max_length} if task.max_length else {}
    asked = {**suite.budget.model_dump(), **length, **changes}
    if "epochs" in changes and "steps" not in changes:
        asked["steps"] = None
    try:
        return Budget(**asked)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        where = f"{BUDGET}.{name}=" if name in swept else f"--{name.replace('_', '-')} "
        raise UsageError(f"{where}{shown(problem['input'])} is not possible: {problem['msg']}") from None
