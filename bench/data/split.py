"""The slice held out of train on which steps and settings are selected, so that dev is read once."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from bench.seeds import derive
from bench.spec import Example, Task

HELD_OUT_SHARE = 0.1
HELD_OUT_MOST = 1000


def held_out(task: Task, examples: Sequence[Example], seed: int | None = None) -> tuple[list[Example], list[Example]]:
    """Divide train into (train, selection): 10 %, at most 1000, stratified by label, whole groups, fixed per task.

    Another `seed` is another division, to tell how much hangs on it.
    Systematic sampling: groups are ordered by their most common label, shuffled within it by the task's own
    stream, and one is taken whenever the slice falls behind its share, so each label gives its share to within one.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        groups[example.group if example.group is not None else f"\0{index}"].append(index)
    order = list(groups)
    random.Random(derive("split", task.name, *(() if seed is None else (seed,)))).shuffle(order)
    order.sort(key=lambda group: _stratum(examples[index] for index in groups[group]))
    wanted = min(max(1, round(HELD_OUT_SHARE * len(examples))), HELD_OUT_MOST)
    selected: set[int] = set()
    seen = 0
    for group in order:
        seen += len(groups[group])
        if round(seen * wanted / len(examples)) > len(selected):
            selected.update(groups[group])
    train = [example for index, example in enumerate(examples) if index not in selected]
    return train, [examples[index] for index in sorted(selected)]


def first_rows(task: Task, examples: Sequence[Example], most: int | None, name: str) -> list[Example]:
    """At most `most` examples: the first of a shuffle that is fixed per task, back in their own order.

    The examples of one query are taken together or not at all (the first query in any case), since they are scored
    together.
    """
    if most is None or most >= len(examples):
        return list(examples)
    queries: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        queries[example.query if example.query is not None else f"\0{index}"].append(index)
    order = list(queries.values())
    random.Random(derive("subset", task.name, name)).shuffle(order)
    taken: list[int] = []
    for members in order:
        if taken and len(taken) + len(members) > most:
            break
        taken += members
    return [examples[index] for index in sorted(taken)]


def _stratum(members: Iterable[Example]) -> tuple[int, ...]:
    """The most common label of a group; sequences of labels (tagging) are all one stratum."""
    labels = [member.labels[0] for member in members if len(member.labels) == 1]
    return (Counter(labels).most_common(1)[0][0],) if labels else ()
