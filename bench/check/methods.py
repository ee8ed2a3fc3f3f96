"""What every method must do, whatever task, head and model: the rules of bench.tuning and of attachments."""

from __future__ import annotations

from collections.abc import Callable

from bench.check.finding import Broken, Skipped
from bench.check.rig import Rig, Trained
from bench.errors import CannotShare, UsageError
from bench.model.needs import HeadKind
from bench.model.source import find_model
from bench.registry import build, find_method, find_suite
from bench.resolved import resolve


def settings_are_possible(method: str) -> str:
    """Its defaults are possible, it has a docstring, and its space holds possible values, the default first."""
    cls = find_method(method)
    default = build(cls, {})
    if not cls.__doc__:
        raise Broken("the class has no docstring; `bench list methods` shows it")
    for name, values in cls.space.items():
        if name not in cls.model_fields:
            raise Broken(f"space has {name!r}, which is no setting")
        if not values or values[0] != getattr(default, name):
            raise Broken(f"space[{name!r}] must begin with the default {getattr(default, name)!r}, found {values!r}")
        for value in values:
            build(cls, {name: value})
    return "" if cls.space else "no space: --trials would have one setting to try"


def refuses_with_a_reason(rig: Rig, method: str, task: str, head: HeadKind) -> None:
    """`unfit` answers for every task and head, with a reason or None, and raises nothing."""
    try:
        chosen = build(find_method(method), {**rig.settings.get(method, {}), "head": head})
    except UsageError as reason:
        raise Skipped(str(reason)) from None
    answer = chosen.unfit(find_suite(rig.suite).task(task), find_model(rig.model))
    if answer is not None and not (isinstance(answer, str) and answer):
        raise Broken(f"unfit() must give a reason or None, found {answer!r}")


def trains_what_it_should(rig: Rig, method: str, task: str, head: HeadKind | None = None) -> None:
    """Every tensor that should train has had a gradient and has moved, and nothing else of the model has.

    Without a `head` with the one that the method has.
    """
    _trained(rig, method, task, head)


def repeats_to_the_bit(rig: Rig, method: str, task: str, head: HeadKind) -> None:
    """The same cell again, its activations made a second time in the backward pass, ends in the same bits."""
    first = _trained(rig, method, task, head)
    again = rig.trained(first.lane.cell, checkpointing=True)
    _same_tensors(first, again, "a second run of the same cell")
    if first.scores() != again.scores():
        raise Broken("a second run of the same cell scores otherwise")


def is_the_same_in_company(rig: Rig, method: str, task: str, head: HeadKind) -> None:
    """Beside another cell in one loop it ends in the same bits as alone; not asked of what must change the model."""
    (cell, neighbour) = rig.cells(method, task, seeds=(0, 1), head=head)
    if resolve(cell).method.changes_weights:
        raise Skipped("it has the model to itself")
    try:
        together = rig.trained(cell, beside=neighbour)
    except CannotShare as reason:
        raise Skipped(f"it has the model to itself: {reason}") from None
    _same_tensors(rig.trained(cell), together, "beside another cell")


def is_stored_whole(rig: Rig, method: str, task: str, head: HeadKind) -> None:
    """What is stored gives a fresh model the same scores."""
    trained = _trained(rig, method, task, head)
    stored, expected = trained.lane.stored(), trained.scores()
    (cell,) = rig.cells(method, task, seeds=(99,), head=head)  # other initial values than those that were stored
    (lane,), backbone = rig.lanes([cell])
    try:
        lane.attachment.restore(stored)
    except KeyError as error:
        raise Broken(f"{error} is not stored, and restore() asks for it") from None
    lane.head.load_state_dict({name: stored[f"head.{name}"] for name in lane.head.state_dict()})
    lane.null_threshold = trained.lane.null_threshold
    if Trained(lane, backbone).scores() != expected:
        raise Broken("a fresh model with what was stored scores otherwise")


CHECKS: tuple[Callable[[Rig, str, str, HeadKind], None], ...] = (
    refuses_with_a_reason,
    trains_what_it_should,
    repeats_to_the_bit,
    is_the_same_in_company,
    is_stored_whole,
)


def _trained(rig: Rig, method: str, task: str, head: HeadKind | None) -> Trained:
    (cell,) = rig.cells(method, task, head=head) if head else rig.cells(method, task)
    return rig.trained(cell)


def _same_tensors(first: Trained, second: Trained, company: str) -> None:
    import torch

    first_tensors, second_tensors = first.lane.stored(), second.lane.stored()
    if first_tensors.keys() != second_tensors.keys():
        raise Broken(f"{company}: other tensors are stored: {sorted(first_tensors.keys() ^ second_tensors.keys())}")
    unlike = [name for name in first_tensors if not torch.equal(first_tensors[name], second_tensors[name])]
    if unlike:
        raise Broken(f"{company}: other bits in {', '.join(unlike)}")
