"""Which task a user's rows are: kind, fields, classes and metrics, from the rows of train alone."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.data.examples import SplitExamples, read_examples
from bench.data.found import Asked, Found, no_column
from bench.data.kind import KindData
from bench.data.located import Located
from bench.data.mapping import NO_LABEL, columns_of
from bench.data.recognised import Recognised
from bench.data.sources import own_rows
from bench.data.tagged_columns import IN_COLUMNS
from bench.data.values import is_nothing, label_text
from bench.errors import UsageError
from bench.kind import find_kind, kinds
from bench.own.places import NAMES, Lying, split_called
from bench.task import Division, Split, Task

MOST_ROWS = 200_000  # of a file; of more so many are drawn, which is more than methods need to be told apart
MOST_UNLABELLED = 0.1  # of the rows, that are left out without a question
SPLIT_COLUMNS = ("split", "fold", "subset", "partition", "set")
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True)
class Wanted:
    """What a user says of their data beside where it lies: columns, kind, and fields of Task that go before what is
    seen.
    """

    asked: Asked = Asked()
    kind: str = ""
    name: str = ""
    stated: Mapping[str, Any] = field(default_factory=dict)
    most_rows: int = MOST_ROWS


@dataclass(frozen=True)
class OwnTask:
    """A task of a user's own, as it was understood: what of its rows was read, and what a user should know."""

    task: Task
    lying: Lying
    recognised: Recognised
    splits: Mapping[Split, SplitExamples]
    num_rows: int  # of the file of train, before any is drawn
    num_read: int
    warnings: tuple[str, ...] = ()


def understood(lying: Lying, wanted: Wanted) -> OwnTask:
    """The task that rows are. UsageError where that is not clear, and for rows that make none."""
    asked, source = wanted.asked, lying.source.model_copy(update={"most_rows": wanted.most_rows})
    unread = Task.model_construct(name=wanted.name or lying.name, source=source, fields={"?": "?"}, obtain="")
    rows, num_rows = _rows(unread, "train", lying)
    if not rows:
        raise UsageError(f"{lying.called('train')} has no rows{_header_hint(lying)}")
    by = _split_column(rows, asked, lying)
    if by:
        asked, source = replace(asked, split=by), _by_column(source, by, rows, lying)
        rows = [row for row in rows if split_called(label_text(row.fields.get(by))) == "train"]
    found = Found(rows, lying.called("train"))
    if IN_COLUMNS not in rows[0].fields:
        found.check(asked)
    recognised = _recognised(found, asked, wanted.kind)
    scored, notes = _scored(unread.model_copy(update={"source": source}), recognised, lying, by)
    if scored == "train":
        files, of_hub = source.files, source.hub_splits
        scored, division = "dev", wanted.stated.get("division") or Division()
        update = {"division": division, "files": files and {"train": files["train"], "dev": files["train"]}}
        if of_hub:
            update["hub_splits"] = {"train": of_hub["train"], "dev": of_hub["train"]}
        source = source.model_copy(update=update)
    task = _declared(wanted, unread.name, source, scored, recognised)
    return _read(task, lying, recognised, found, (num_rows, len(rows)), (*recognised.notes, *notes))


def _rows(task: Task, split: Split, lying: Lying) -> tuple[list[Located], int]:
    try:
        return own_rows(task, split, lying.folder)
    except UsageError as error:
        name = lying.called(split).removesuffix(".gz")
        if not lying.source.files or name.casefold().endswith(TABLES) or "column" not in str(error):
            raise
        hint = "a table or JSON needs a name that ends in .csv, .tsv, .json, .jsonl or .parquet"
        raise UsageError(f"{error}. It was read as a column file (a word and its tag a line); {hint}") from None


def _header_hint(lying: Lying) -> str:
    return "; a table's first line names its columns" if lying.called("train").endswith((".csv", ".tsv")) else ""


def _split_column(rows: Sequence[Located], asked: Asked, lying: Lying) -> str:
    """The column that says of which split a row is: as asked for, or one of such a name with such values alone."""
    if asked.split:
        if not any(asked.split in row.fields for row in rows):
            raise no_column(asked.split, rows[0].fields, lying.called("train"))
        return asked.split
    if len(lying.splits) > 1:
        return ""
    for name in rows[0].fields:
        if name.casefold() in SPLIT_COLUMNS and name not in asked.named:
            values = {split_called(label_text(row.fields.get(name))) for row in rows}
            if None not in values and "train" in values and len(values) > 1:
                return name
    return ""


def _by_column(source: Any, column: str, rows: Sequence[Located], lying: Lying) -> Any:
    """The source with its splits by a column. UsageError for values that name none, and where train or others lack."""
    if len(lying.splits) > 1:
        raise UsageError(f"--split-by {column}: {lying.how} are splits already; name one file alone, or leave it out")
    values = Counter(label_text(row.fields.get(column)) for row in rows)
    splits = {split_called(value) for value in values}
    if None in splits or "train" not in splits or len(splits) < 2:
        shown = ", ".join(f"{value!r} {count}" for value, count in values.most_common(6))
        raise UsageError(f"--split-by {column}: its values are {shown}; they must be train, and dev or test")
    of = {split: names for split, names in NAMES.items() if split in splits}
    if source.hub_splits:
        return source.model_copy(
            update={
                "split_column": column,
                "local_splits": of,
                "hub_splits": dict.fromkeys(of, source.hub_splits["train"]),
            }
        )
    files = dict.fromkeys(of, source.files["train"])
    return source.model_copy(update={"split_column": column, "local_splits": of, "files": files})


def _recognised(found: Found, asked: Asked, kind: str) -> tuple[str, Recognised] | Any:
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
        if isinstance(each, KindData):
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


def _scored(task: Task, recognised: Recognised, lying: Lying, by: str) -> tuple[Split, tuple[str, ...]]:
    """The split that is scored: test, or dev where there is no test with labels; train where there is no other. And
    what there is to say of it.
    """
    notes: list[str] = []
    there = tuple(task.source.local_splits) if by else lying.splits
    for split in ("test", "dev"):
        if split not in there:
            continue
        probe = Task.model_construct(
            fields=recognised.fields, kind=recognised.kind, plain=recognised.plain, pattern=None
        )
        rows, _ = _rows(task, split, lying)
        if by:
            rows = [row for row in rows if split_called(label_text(row.fields.get(by))) == split]
        called = lying.called(split)
        if rows and _is_labelled(rows, recognised):
            present = {name for row in rows[:100] for name in row.fields}
            for name in columns_of(probe):
                if name not in present and IN_COLUMNS not in present and recognised.label and not _is_nested(present):
                    raise no_column(name, sorted(present), called)
            return split, tuple(notes)
        notes.append(f"{called} has {'no labels' if rows else 'no rows'} and is not read")
    return "train", tuple(notes)


def _is_nested(present: set[str]) -> bool:
    return "paragraphs" in present


def _is_labelled(rows: Sequence[Located], recognised: Recognised) -> bool:
    """Whether any row has a label; the hub's -1 is none."""
    answers = [column for name, column in recognised.fields.items() if name in ANSWERS and isinstance(column, str)]
    if IN_COLUMNS in rows[0].fields or _is_nested(set(rows[0].fields)):
        return True
    values = [row.fields.get(column) for row in rows for column in answers]
    return any(not is_nothing(value) and value != -1 for value in values)


ANSWERS = ("label", "ordinal", "letter", "right", "key", "tags", "answers")


def _declared(wanted: Wanted, name: str, source: Any, scored: Split, recognised: Recognised) -> Task:
    """The task, with what a task file says in the place of what was seen."""
    asked, stated = wanted.asked, {key: value for key, value in wanted.stated.items() if key != "division"}
    marked = {name: column for name, column in (("group", asked.group), ("idx", asked.idx)) if column}
    fields = {**marked, **recognised.fields} if recognised.rank > 2 else {**recognised.fields, **marked}
    pattern = stated.get("pattern")
    for column in re.findall(r"\{(\w+)\}", f"{pattern or ''}{stated.get('plain', '')}"):
        if column not in fields and column != "choice":
            fields[column] = column
    declared = {
        "kind": recognised.kind, "plain": recognised.plain, "classes": recognised.classes,
        "metrics": recognised.metrics, "answerless": recognised.answerless, "max_length": recognised.max_length,
        "clusters": asked.group or recognised.clusters, "parts": recognised.parts, "scored": scored,
    }  # fmt: skip
    try:
        return Task(name=name, source=source, fields=fields, **{**declared, **stated})
    except ValueError as error:
        said = getattr(error, "errors", lambda: [{"msg": str(error)}])()[0]["msg"]
        raise UsageError(f"{name}: {said.removeprefix('Value error, ')}") from None


def _read(
    task: Task, lying: Lying, recognised: Recognised, found: Found, counts: tuple[int, int], notes: tuple[str, ...]
) -> OwnTask:  # fmt: skip
    """The splits as a run will read them; what it would warn of is told here."""
    splits: dict[Split, SplitExamples] = {}
    told: list[str] = list(notes)
    for split in task.splits("holdout"):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            splits[split] = read_examples(task, split, lying.folder)
        said = [str(warning.message).removeprefix(f"{task.name} {split}: ") for warning in heard]
        told += [
            f"{split}: {line}"
            for line in said
            if not line.startswith(
                (
                    "what makes no example",
                    f"1 row left",
                )
            )
        ]
        _check_labels(task, split, splits[split], found, lying)
    if task.source.division:
        told = list(dict.fromkeys(line.removeprefix("train: ").removeprefix("dev: ") for line in told))
    return OwnTask(task, lying, recognised, splits, *counts, tuple(told))


def _check_labels(task: Task, split: Split, read: SplitExamples, found: Found, lying: Lying) -> None:
    """UsageError where many rows of train have no label, or any of a split that somebody has said is scored."""
    without = read.no_example.get(NO_LABEL, 0)
    if not without:
        return
    is_scored = split != "train" and not task.source.division
    if not is_scored and without <= MOST_UNLABELLED * (len(found.rows)):
        return
    label = next((str(task.fields[name]) for name in ANSWERS if name in task.fields), "")
    places = "" if is_scored else ", ".join(place.rpartition(":")[2] for place in found.columns[label].empty[:5])
    where = f" (lines {places}{' …' if without > 5 else ''})" if places else ""
    reason = "; nothing of a scored split is left out" if is_scored else ""
    name = lying.called(split)
    raise UsageError(f"{name}: {label!r} is empty in {without} rows{where}{reason}: fill them in, or remove these rows")
