"""A user's own rows divided into train and the split that is scored, where nothing says which they are."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from bench.data.split import members, sampled_groups, unseen
from bench.errors import UsageError
from bench.seeds import derive
from bench.task import Example, Split, Task


def divided(task: Task, examples: Sequence[Example], split: Split) -> list[Example]:
    """The examples of a split of `task.source.division`: train, or the one that is scored, which all others are.

    Stratified by label, whole groups (equal texts are one), always the same for the same rows. A label that one group
    alone has stays in train; what says the same as a row of train is not scored. UsageError for rows that cannot be
    divided.
    """
    division = task.source.division
    assert division is not None
    groups = members(examples, lambda example: example.group)
    if len(groups) < 2:
        rows = "1 row" if len(examples) == 1 else f"{len(examples)} rows, all of one group or equal"
        raise UsageError(f"task {task.name!r}: {rows} cannot be divided into train and scored; give it more rows")
    wanted = min(max(1, round(division.share * len(examples))), division.most)
    free = _free(examples, groups)
    if not free:
        raise UsageError(f"task {task.name!r}: each label stands in one group alone; there is nothing to score by")
    scored = sampled_groups(task, examples, free, wanted, random.Random(derive("division", division.seed)))
    scored -= _not_in_train(examples, scored, groups)
    if split == "train":
        return [example for index, example in enumerate(examples) if index not in scored]
    return [examples[index] for index in unseen(examples, scored)]


def _free(examples: Sequence[Example], groups: dict[str, list[int]]) -> dict[str, list[int]]:
    """The groups without a label that no other group has."""
    of_groups = {name: {label for index in rows for label in examples[index].labels} for name, rows in groups.items()}
    times = Counter(label for labels in of_groups.values() for label in labels)
    return {name: rows for name, rows in groups.items() if all(times[label] > 1 for label in of_groups[name])}


def _not_in_train(examples: Sequence[Example], scored: set[int], groups: dict[str, list[int]]) -> set[int]:
    """The rows that must go back to train: of groups that have a label which train otherwise lacks."""
    learned = {label for index, example in enumerate(examples) if index not in scored for label in example.labels}
    back: set[int] = set()
    for rows in groups.values():
        labels = {label for index in rows for label in examples[index].labels}
        if rows[0] in scored and not labels <= learned:
            learned |= labels
            back |= set(rows)
    return back
