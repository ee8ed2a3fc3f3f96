"""What of a plan cannot be trained after all, once data are read and sizes known: it is skipped, and the rest runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.cell import Cell, Plan, Skip
from bench.errors import UnfitModel, UsageError
from bench.resolved import ResolvedCell, resolve

Combination = tuple[str, str, str, str]
Check = Callable[[Sequence[ResolvedCell]], None]


def checked(whole: Plan, cells: Sequence[Cell], check: Check, refusal: type[UsageError] = UnfitModel) -> Plan:
    """The plan without what `check` refuses of `cells`, each combination of model, task and method with its reason.

    What is wrong with all of them is raised as it is.
    """
    resolved = [resolve(cell) for cell in cells]
    try:
        check(resolved)
    except refusal:
        reasons = _reasons(resolved, check, refusal)
    else:
        return whole
    left = tuple(cell for cell in whole.cells if _combination(cell) not in reasons)
    if not left:
        raise next(iter(reasons.values()))
    skips = {
        place: Skip(cell.task, cell.model, cell.label, str(reasons[place]), fault=True)
        for cell in whole.cells
        if (place := _combination(cell)) in reasons
    }
    trials = tuple(cell for cell in whole.trials if _combination(cell) not in reasons)
    return replace(whole, cells=left, trials=trials, skips=(*whole.skips, *skips.values()))


def _reasons(
    resolved: Sequence[ResolvedCell], check: Check, refusal: type[UsageError]
) -> dict[Combination, UsageError]:
    """Why combinations are refused, each checked alone."""
    places: dict[Combination, list[ResolvedCell]] = {}
    for each in resolved:
        places.setdefault(_combination(each.cell), []).append(each)
    found: dict[Combination, UsageError] = {}
    for place, alike in places.items():
        try:
            check(alike)
        except refusal as error:
            found[place] = error
    return found


def _combination(cell: Cell) -> Combination:
    return cell.model_path, cell.task, cell.method, str(cell.settings.get("head"))
