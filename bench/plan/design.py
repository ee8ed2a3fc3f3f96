"""Which settings a method's trials have: a design over its space that is balanced however early one stops. No torch.

Of each setting in the space the values tried so far differ by at most one in how often they were, wherever the trials
end (a Latin hypercube has this at its end alone): the learning rate first of all, then the others as the method
declares them. Which values come early is drawn, for each method, model and task anew, so that a comparison over many
of them does not stand on one order's luck.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from bench.errors import UsageError, unknown
from bench.registry import build
from bench.seeds import derive
from bench.tuning import Method

FIRST = "learning_rate"  # matters most for every method that trains
Place = tuple[int, ...]  # of a combination: the numbers of its values, an axis each


def draw(
    kind: type[Method],
    base: Mapping[str, Any],
    fixed: Collection[str],
    number: int,
    drawn_for: Sequence[str] = (),
    fit: Callable[[Method], Method | None] = lambda method: method,
) -> list[Method]:
    """At most `number` methods: that of the settings `base` first, then others of the method's space, none twice.

    Settings that are `fixed` are not drawn. `drawn_for` are names that the order depends on besides the method's: the
    model and the task. `fit` turns a method into the one to try, or says by None that it cannot serve there; what does
    not fit, or breaks a rule between settings, is passed over, and the design goes on with what is balanced then. The
    first settings of more trials are those of fewer. A space with fewer than `number` gives what it has. UsageError
    when `base` itself breaks a rule.
    """
    first = build(kind, dict(base))
    axes = _axes(first, fixed, drawn_for)
    drawn: list[Method] = []
    tried: list[Method] = []
    counts: list[Counter[int]] = [Counter() for _ in axes]

    def take(method: Method) -> None:
        fitting = None if method in tried else fit(method)
        tried.append(method)
        if fitting is not None and fitting not in drawn:
            drawn.append(fitting)
            for count, (name, values) in zip(counts, axes.items(), strict=True):
                setting = getattr(method, name)  # the first method's need not be in the space
                count.update(at for at, value in enumerate(values) if _same(value, setting))

    take(first)
    left = list(_traversal([len(values) for values in axes.values()]))
    while left and len(drawn) < number:
        place = min(left, key=lambda place: [count[at] for count, at in zip(counts, place, strict=True)])
        left.remove(place)
        try:
            method = build(kind, {**base, **{name: axes[name][at] for name, at in zip(axes, place, strict=True)}})
        except UsageError:
            continue
        take(method)
    return drawn[:number]


def _axes(first: Method, fixed: Collection[str], drawn_for: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each free setting in their drawn order, those of `first` first; the learning rate's axis leads."""
    kind = type(first)
    for name in kind.space:
        if name not in kind.model_fields:
            raise unknown(f"setting in the space of {kind.name}", name, kind.model_fields)
    axes = {}
    for name in sorted((name for name in kind.space if name not in fixed), key=lambda name: name != FIRST):
        values = list(kind.space[name])
        random.Random(derive("trials", kind.name, name, *drawn_for)).shuffle(values)
        leading = getattr(first, name)
        axes[name] = sorted(values, key=lambda value: not _same(value, leading))
    return axes


def _same(value: Any, setting: Any) -> bool:
    return bool(value == setting) and isinstance(value, bool) == isinstance(setting, bool)


def _traversal(sizes: Sequence[int]) -> Iterator[Place]:
    """All combinations once, in an order in which every axis goes through its values over and over.

    Steps of (1, 1, …) come back to where they began after the least common multiple of the sizes; each such round
    begins at another combination that no round has met.
    """
    round_length = math.lcm(*sizes)
    seen: set[Place] = set()
    for begin in product(*map(range, sizes)):
        if begin not in seen:
            for step in range(round_length):
                place = tuple((at + step) % size for at, size in zip(begin, sizes, strict=True))
                seen.add(place)
                yield place
