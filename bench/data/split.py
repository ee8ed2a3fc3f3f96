"""The slice held out of train on which steps and settings are selected, so that dev is read once."""

from __future__ import annotations

import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from bench.data.content import EQUAL, content
from bench.data.kind import data_of
from bench.errors import UsageError
from bench.seeds import derive
from bench.task import Example, Task

HELD_OUT_SHARE = 0.1
HELD_OUT_MOST = 1000


def held_out(task: Task, examples: Sequence[Example], seed: int | None = None) -> tuple[list[Example], list[Example]]:
    """Divide train into (train, selection): 10 %, at most 1000, whole groups, fixed per task, stratified (by label,
    or by tenths of the numbers).

    Another `seed` is another division, to tell how much hangs on it. Groups that are larger on average than the slice
    are divided into their parts, if they have any. What says the same as a row of train is not selected on either;
    where all rows say the same, it is, with a warning. UsageError when nothing can be held out.
    """
    wanted = min(max(1, round(HELD_OUT_SHARE * len(examples))), HELD_OUT_MOST)
    groups = members(examples, lambda example: example.group)
    if len(groups) * wanted < len(examples):
        parts = members(examples, lambda example: example.part or example.group)
        groups = parts if len(parts) > len(groups) else groups
    all_alike = len(groups) == 1 < len(examples) and next(iter(groups)).startswith(EQUAL)
    if all_alike:
        alike = f"all {len(examples)} train rows have the same texts; so do those held out"
        warnings.warn(f"task {task.name!r}: {alike}", stacklevel=2)
        groups = {str(index): [index] for index in range(len(examples))}
    if len(groups) < 2:
        raise UsageError(f"task {task.name!r}: nothing can be held out of {_one_group(task, examples)}")
    stream = random.Random(derive("split", task.name, *(() if seed is None else (seed,))))
    selected = sampled_groups(task, examples, groups, wanted, stream)
    train = [example for index, example in enumerate(examples) if index not in selected]
    chosen = sorted(selected) if all_alike else unseen(examples, selected)
    if not chosen:
        rows = f"the {len(selected)} of {len(examples)} train rows that could be held out"
        raise UsageError(f"task {task.name!r}: {rows} say what others of them say; give it rows with other texts")
    return train, [examples[index] for index in chosen]


def unseen(examples: Sequence[Example], selected: set[int]) -> list[int]:
    """Those selected that say nothing that a row of train says, in their order."""
    declared = [group is not None and not group.startswith(EQUAL) for group in (example.group for example in examples)]
    if not any(declared[index] for index in selected):
        return sorted(selected)  # equal texts are whole groups
    learned = {content(example) for index, example in enumerate(examples) if index not in selected} - {None}
    return [index for index in sorted(selected) if content(examples[index]) not in learned]


def members(examples: Sequence[Example], key: Callable[[Example], str | None]) -> dict[str, list[int]]:
    """The numbers of each group's rows; a row without a group is one."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        name = key(example)
        members[f"\0{index}" if name is None else name].append(index)
    return members


def sampled_groups(
    task: Task, examples: Sequence[Example], groups: dict[str, list[int]], wanted: int, stream: random.Random
) -> set[int]:
    """The rows of the groups to be held out, at least of one and never of all.

    Systematic sampling: groups are ordered by their most common stratum (a label), shuffled within it by the stream, and one is taken whenever the slice lacks half of it or more, so each stratum gives its share to within one.
    A group larger than the slice is not taken, nor more than half of the others' rows; where all are, the smallest is.
    """
    order = list(groups)
    stream.shuffle(order)
    strata = data_of(task).strata(examples)
    order.sort(key=lambda group: _stratum(strata[index] for index in groups[group]))
    order = [group for group in order if len(groups[group]) <= wanted] or [min(order, key=lambda at: len(groups[at]))]
    rows = sum(len(groups[group]) for group in order)
    wanted = min(wanted, max(1, rows // 2))
    selected: set[int] = set()
    seen = 0
    for group in order:
        seen += len(groups[group])
        if 2 * (round(seen * wanted / rows) - len(selected)) >= len(groups[group]):
            selected.update(groups[group])
    return selected or set(groups[min(order, key=lambda at: len(groups[at]))])


def _one_group(task: Task, examples: Sequence[Example]) -> str:
    """`40 train rows: all are of …`, for rows that cannot be divided."""
    rows = f"{len(examples)} train rows" if len(examples) != 1 else "1 train row"
    if len(examples) < 2:
        return f"{rows}; give it more"
    (group,) = {example.group for example in examples}
    kind, part = task.clusters or "group", examples[0].part
    parts = f" and one {task.parts or 'part'} of it" if part not in (None, group) else ""
    return f"{rows}: all are of one {kind} ({group!r}){parts}, which stays together; give it rows of others"


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


def _stratum(strata: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """The most common stratum of a group's members; those of none are all one."""
    return next(iter(Counter(filter(None, strata)).most_common(1)), ((), 0))[0]
