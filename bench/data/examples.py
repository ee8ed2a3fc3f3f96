"""The rows of a split become Examples; what does not fit is an error with the row's place.

From a train split rows may be left out from which nothing can be learned; they are counted and reported. Of a split
that is scored nothing is left out. What was mended in reading, and what of the source stands for no example, is counted
and reported of every split.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from bench.data.characters import REPAIR, whole_characters
from bench.data.content import with_equal_texts_grouped
from bench.data.division import divided
from bench.data.kind import data_of
from bench.data.located import Located
from bench.data.places import folder_of, local_files
from bench.data.sources import file_stamps, load
from bench.data.tagged_columns import is_of_column_file
from bench.data.tally import Tally
from bench.errors import UsageError, WordError
from bench.task import Example, Split, Task

REPAIRED, NO_EXAMPLE = "repaired", "no_example"  # what a task's rows say of themselves (see bench.task.Task)


@dataclass(frozen=True)
class SplitExamples:
    """The examples of a split, and three counts by the reason: rows left out, repairs made, and parts of the source
    (a sentence, a question) that stand for no example.
    """

    examples: list[Example]
    left_out: dict[str, int]
    repaired: dict[str, int] = field(default_factory=dict)
    no_example: dict[str, int] = field(default_factory=dict)


def read_examples(task: Task, split: Split, data: Path | None) -> SplitExamples:
    """All examples of a split, in the source's order. Warns of what is counted, and of a size that is not official.

    Where the splits are a `division` of the same rows, these are read once, for whichever is asked for first.
    """
    if task.source.division is None:
        return _read(task, split, data)
    whole = _undivided(task.model_dump_json(), data, file_stamps(task, data))
    return replace(whole, examples=divided(task, whole.examples, split))


@lru_cache(maxsize=1)
def _undivided(declaration: str, data: Path | None, stamps: object) -> SplitExamples:
    return _read(Task.model_validate_json(declaration), "train", data)


def _read(task: Task, split: Split, data: Path | None) -> SplitExamples:
    kind = data_of(task)
    located = kind.arranged(task, [with_whole_characters(row) for row in load(task, split, data)])
    repaired, no_example, left_out, kept = Tally(), Tally(), Tally(), Tally()
    rows = kind.mended(task, list(flat_rows(task, located, repaired, no_example)), repaired)
    if split == "train":  # what is learned from is of no set: metrics of one are asked of a slice of it too
        rows = [replace(row, fields={**row.fields, "subset": None}) if "subset" in row.fields else row for row in rows]
    examples: list[Example] = []
    read = kind.reader(task)
    for index, row in enumerate(rows):
        reason, example = read(row, index)
        if reason:
            (left_out if split == "train" else kept).note(reason, row.place)
        if not reason or split != "train":
            examples.append(example)
    if not examples:
        folder = folder_of(task, data)
        place = local_files(task, split, folder)[0] if folder and not task.source.generate else f"the {split} split"
        why = "; ".join(tally.listed() for tally in (left_out, no_example) if tally.total)
        raise UsageError(f"task {task.name!r}: {place} has no rows that can be used{f': {why}' if why else ''}")
    _tell(task, split, repaired, no_example, left_out, kept)
    _check_size(task, split, located if task.sizes_of == "sentences" else rows)
    counts = (dict(tally.counts) for tally in (left_out, repaired, no_example))
    return SplitExamples(with_equal_texts_grouped(_with_unique_ids(task, split, examples)), *counts)


def _tell(task: Task, split: Split, repaired: Tally, no_example: Tally, left_out: Tally, kept: Tally) -> None:
    """A warning for each that has something counted."""
    rows_left = "1 row" if left_out.total == 1 else f"{left_out.total} rows"
    for tally, told in (
        (repaired, f"repaired: {repaired.listed(with_places=True)}"),
        (no_example, f"what makes no example: {no_example.listed()}"),
        (left_out, f"{rows_left} left out: {left_out.listed()}"),
        (kept, f"kept and scored although: {kept.listed()}"),
    ):
        if tally.total:
            warnings.warn(f"{task.name} {split}: {told}", stacklevel=3)


def _with_unique_ids(task: Task, split: Split, examples: list[Example]) -> list[Example]:
    """The examples, the second of an id with `#2` behind it and so on: by ids is told that each was answered once."""
    taken = {example.id for example in examples}
    if len(taken) == len(examples):
        return examples
    again = f"{len(examples) - len(taken)} × an id that an earlier row has"
    warnings.warn(f"{task.name} {split}: {again}; #2 and so on was put behind it", stacklevel=3)
    seen: Counter[str] = Counter()
    unique = []
    for example in examples:
        seen[example.id] += 1
        if (number := seen[example.id]) > 1:
            while (name := f"{example.id}#{number}") in taken:
                number += 1
            taken.add(name)
            example = example.model_copy(update={"id": name})
        unique.append(example)
    return unique


def _check_size(task: Task, split: Split, counted: Sequence[Located]) -> None:
    declared = task.sizes.get(split)
    if task.sizes_of == "sentences" and not all(is_of_column_file(row.fields) for row in counted):
        return  # a line for each predicate
    if declared is not None and declared != len(counted):
        warnings.warn(
            f"{task.name} {split}: {len(counted)} {data_of(task).counted(counted)}, "
            f"the official split has {declared}; scores are not comparable with published ones",
            stacklevel=3,
        )


def flat_rows(
    task: Task, located: Iterable[Located], repaired: Tally, no_example: Tally, labelled: bool = True
) -> Iterator[Located]:
    """The rows in the harness's fields that a source's rows stand for; counts what they say of themselves. `labelled`
    as in `harness_rows`.
    """
    for row in located:
        for reason in row.repaired:
            repaired.note(reason, row.place)
        has_adapter = task.rows is not None or task.is_data
        for flat in harness_rows(task, row, labelled) if has_adapter else (replace(row, repaired=()),):
            if has_adapter and isinstance(why := flat.fields.get(NO_EXAMPLE), str):
                no_example.note(why, row.place)
                continue
            whole = with_whole_characters(flat) if _holds_escapes(row) else flat
            for reason in whole.repaired:
                repaired.note(reason, row.place)
            yield whole


def _holds_escapes(row: Located) -> bool:
    """Whether a cell may be JSON that has half characters of its own, which come out when an adapter reads it."""
    return any(isinstance(value, str) and "\\u" in value for value in row.fields.values())


def with_whole_characters(row: Located) -> Located:
    try:
        fields, halves = whole_characters(row.fields)
    except ValueError as error:
        raise UsageError(f"{row.place}: {error}") from None
    return replace(row, fields=fields, repaired=(*row.repaired, *[REPAIR] * halves)) if halves else row


def harness_rows(task: Task, row: Located, labelled: bool = True) -> Iterator[Located]:
    """What the task's adapter, or its columns, make of a source's row, with the repairs it says it made.

    With `labelled` false, for columns alone, without what is asked for.
    """
    try:
        for fields in data_of(task).mapped(task, row.fields, labelled) if task.rows is None else task.rows(row.fields):
            if not isinstance(fields, dict):
                raise TypeError(f"the task's rows must be dicts, found {type(fields).__name__}")
            repaired = fields.get(REPAIRED)
            reasons = tuple(map(str, repaired)) if isinstance(repaired, list | tuple) else ()
            rest = {name: value for name, value in fields.items() if name != REPAIRED}
            yield Located(row.place, rest, reasons, row.lines)
    except KeyError as error:
        present = ", ".join(sorted(map(str, row.fields))) or "nothing"
        raise UsageError(f"{row.place}: field {error} is missing (task {task.name!r}); the row has {present}") from None
    except WordError as error:
        raise UsageError(f"{row.of_word(error.word)}: {error} (task {task.name!r})") from None
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(f"{row.place}: {error} (task {task.name!r})") from None
