"""Which task a user's rows are: kind, fields, classes and metrics, from the rows of train alone."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from bench.data.examples import SplitExamples, read_examples
from bench.data.found import Asked, Found, no_column
from bench.data.kind import KindData, data_of
from bench.data.mapping import NO_LABEL
from bench.data.recognised import Recognised
from bench.data.tagged_columns import is_of_column_file
from bench.errors import UsageError
from bench.kind import find_kind, kinds
from bench.own.places import Lying
from bench.own.splits import ANSWERS, Unread, by_column, scored
from bench.task import CANDIDATE, Division, Source, Split, Task

MOST_ROWS = 200_000  # of a file; of more so many are drawn, which is more than methods need to be told apart
MOST_UNLABELLED = 0.1  # of the rows, that are left out without a question
TOLD_OTHERWISE = ("what makes no example", "1 row left out", "rows left out")  # of what reading warns of


@dataclass(frozen=True)
class Wanted:
    """What a user says of their data beside where it lies: columns, kind, and fields of Task that go before what is
    seen.
    """

    asked: Asked = field(default_factory=Asked)
    kind: str = ""
    name: str = ""
    stated: Mapping[str, Any] = field(default_factory=dict)
    division: Division | None = None
    most_rows: int = MOST_ROWS


@dataclass(frozen=True)
class OwnTask:
    """A task of a user's own as it was understood, what was read of its splits, and what a user should know."""

    task: Task
    lying: Lying
    recognised: Recognised
    splits: Mapping[Split, SplitExamples]
    num_rows: int  # of the file of train, before any is drawn
    cautions: tuple[str, ...] = ()


def understood(lying: Lying, wanted: Wanted) -> OwnTask:
    """The task that rows are. UsageError where that is not clear, and for rows that make none."""
    unread = Unread(lying, lying.source.model_copy(update={"most_rows": wanted.most_rows}))
    unread = by_column(unread, wanted.asked.split, wanted.asked.named)
    asked = replace(wanted.asked, split=unread.column)
    rows, num_rows = unread.rows("train")
    called = lying.called("train")
    if not rows:
        hint = "; a table's first line names its columns" if called.endswith((".csv", ".tsv")) else ""
        raise UsageError(f"{called} has no rows{hint}")
    found = Found(rows, called)
    if not is_of_column_file(rows[0].fields):
        found.check(asked)
    recognised = _recognised(found, asked, wanted.kind)
    source, split, notes = scored(unread, recognised, wanted.division)
    _check_forms(wanted, recognised, found)
    task = _declared(wanted, asked, source, split, recognised)
    splits, told = _read(task, lying)
    for name, read in splits.items():
        _check_labels(task, name, read, found, lying)
    task = data_of(task).settled(task, splits["train"].examples)
    return OwnTask(task, lying, recognised, splits, num_rows, (*recognised.notes, *notes, *told))


def _recognised(found: Found, asked: Asked, kind: str) -> Recognised:
    """What the kinds of task make of the columns: the surest of them, or the one that was asked for."""
    if kind:
        wanted = find_kind(kind)
        recognised = wanted.recognised(found, asked) if isinstance(wanted, KindData) else None
        if recognised is None:
            raise UsageError(f"--kind {kind}: {found.source} has {found.listed()}; it takes {wanted.wants}")
        return replace(recognised, kind=kind)
    taken: list[Recognised] = []
    refused: list[tuple[bool, UsageError]] = []
    for name, each in kinds().items():
        if not isinstance(each, KindData):
            continue
        try:
            recognised = each.recognised(found, asked)
        except UsageError as error:
            refused.append((bool(each.inputs), error))
            continue
        if recognised is not None and recognised.rank > 0:
            taken.append(replace(recognised, kind=name))
    if taken:
        return max(taken, key=lambda each: each.rank)
    raise max(refused, key=lambda pair: pair[0])[1] if refused else UsageError(f"{found.source} has {found.listed()}")


def _check_forms(wanted: Wanted, recognised: Recognised, found: Found) -> None:
    """UsageError for a form with a field that is neither a text nor a column."""
    for field_name in _fields_in(wanted):
        if field_name not in recognised.fields and field_name not in found.columns:
            raise no_column(field_name, found.columns, f"{wanted.name}'s pattern: {found.source}")


def _fields_in(wanted: Wanted) -> list[str]:
    forms = f"{wanted.stated.get('pattern', '')}{wanted.stated.get('plain', '')}"
    return [name for name in re.findall(r"\{(\w+)\}", forms) if name != CANDIDATE]


def _declared(wanted: Wanted, asked: Asked, source: Source, split: Split, recognised: Recognised) -> Task:
    """The task, with what a task file says in the place of what was seen."""
    marked = {name: column for name, column in (("group", asked.group), ("idx", asked.idx)) if column}
    fields = {**marked, **recognised.fields}
    stated = dict(wanted.stated)
    for column in _fields_in(wanted):
        fields.setdefault(column, column)
    declared: dict[str, Any] = {
        "name": wanted.name, "kind": recognised.kind, "source": source, "fields": fields, "plain": recognised.plain,
        "classes": recognised.classes, "metrics": recognised.metrics, "answerless": recognised.answerless,
        "max_length": recognised.max_length, "clusters": asked.group or recognised.clusters, "parts": recognised.parts,
        "scored": split,
    }  # fmt: skip
    try:
        return Task(**{**declared, **stated})
    except ValidationError as error:
        raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _read(task: Task, lying: Lying) -> tuple[dict[Split, SplitExamples], list[str]]:
    """The splits as a run will read them, and what it would warn of."""
    splits: dict[Split, SplitExamples] = {}
    told: dict[str, None] = {}
    for split in task.splits("holdout"):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            splits[split] = read_examples(task, split, lying.folder)
        for warning in heard:
            line = str(warning.message).removeprefix(f"{task.name} {split}: ").removeprefix(f"task {task.name!r}: ")
            if not any(begin in line for begin in TOLD_OTHERWISE):
                told[line if task.source.division else f"{split}: {line}"] = None
    return splits, list(told)


def _check_labels(task: Task, split: Split, read: SplitExamples, found: Found, lying: Lying) -> None:
    """UsageError where many rows of train have no label, or any of a split that somebody has said is scored."""
    without = read.no_example.get(NO_LABEL, 0)
    is_scored = split != "train" and task.source.division is None
    if not without or (not is_scored and without <= MOST_UNLABELLED * len(found.rows)):
        return
    label = next(str(task.fields[name]) for name in ANSWERS if name in task.fields)
    places = [] if is_scored else [place.rpartition(":")[2] for place in found.columns[label].empty[:5]]
    where = f" (lines {', '.join(places)}{' …' if without > len(places) else ''})" if places else ""
    reason = ", of which nothing is left out" if is_scored else ""
    called = f"{lying.called(split)}{f', which is scored{reason}' if is_scored else ''}"
    raise UsageError(f"{called}: {label!r} is empty in {without} rows{where}: fill them in, or remove these rows")
