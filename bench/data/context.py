"""Solved train examples in front of the one that is scored: in-context learning (Brown et al. 2020, arXiv:2005.14165,
section 2). They are texts like any other, laid in the task's cloze form with the right answer at [MASK].
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.data.forms import FormLayout
from bench.data.kind import LayoutSpec, data_of
from bench.data.slots import Slots
from bench.data.specials import Special
from bench.data.tokens import TokenStore
from bench.errors import UsageError
from bench.seeds import derive
from bench.task import Example, Task

BLANK_LINE = "\n\n"


@dataclass(frozen=True)
class Context:
    """What stands before every example: its tokens, how many demonstrations they are, how many of these lost some of
    their text, and how many of those asked for are not there, having found no room.
    """

    ids: tuple[int, ...] = ()
    laid: int = 0
    cut: int = 0
    dropped: int = 0


def demonstrations(task: Task, examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` of the examples, or all if they are fewer, drawn by the seed's own stream for this task.

    Where there are classes they take turns, in a drawn order, so that their numbers differ by one at most while each
    has examples left.
    """
    stream = random.Random(derive("demonstrations", seed, task.name))
    order = list(examples)
    stream.shuffle(order)
    if not task.classes:
        return order[:count]
    by_class: dict[int, list[Example]] = defaultdict(list)
    for example in order:
        by_class[example.labels[0]].append(example)
    classes = sorted(by_class)
    stream.shuffle(classes)
    turns = max(map(len, by_class.values()), default=0)
    taken = (by_class[name][turn] for turn in range(turns) for name in classes if turn < len(by_class[name]))
    return [example for example, _ in zip(taken, range(count), strict=False)]


def lay_context(
    special: Special, store: TokenStore, task: Task, chosen: Sequence[Example], max_length: int, room: int | None
) -> Context:
    """The chosen examples one after another, each cut to `max_length` as any text is, within `room` tokens in all.

    They are laid in their order up to the first that no longer fits; this one and those after it are dropped. Between
    texts stands what the tokenizer puts between two; a blank line where a token sees only those before it. UsageError
    when not one of them fits.
    """
    # every token of the pattern is shown, what follows the answer too; there is nothing to be masked
    whole = LayoutSpec(replace(special, causal=False, mask=0), store, Slots(), cloze=True, max_length=max_length)
    form = FormLayout(whole, str(task.pattern), candidate=True)
    separator = special.pair[1]
    if special.causal or not separator:
        separator = store.tokens(special.tokenizer, [BLANK_LINE]).ids_of(0)
    ids: list[int] = []
    laid = num_cut = 0
    for parts, cut in form.parts([data_of(task).solved(task, example) for example in chosen]):
        shown = [*form.joined(parts, special.pair[1]), *separator]
        if room is not None and len(ids) + len(shown) > room:
            break
        ids += shown
        laid, num_cut = laid + 1, num_cut + cut
    if chosen and not laid:
        raise UsageError(
            f"no demonstration fits in the {room} positions beside a text; lower --max-length or the shots"
        )
    return Context(tuple(ids), laid, num_cut, len(chosen) - laid)
