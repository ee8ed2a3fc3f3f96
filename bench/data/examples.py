"""Rows become Examples, each kind in its way; what does not fit is an error with the row's place.

From a train split rows may be left out from which nothing can be learned; they are counted and reported. Of a split
that is scored nothing is left out.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.files import Located
from bench.data.sources import load, local_files
from bench.data.tags import to_bio
from bench.errors import UsageError
from bench.spec import Answer, Example, Split, Task


@dataclass(frozen=True)
class Reading:
    """The examples of a split, and how many of its rows were left out, by the reason."""

    examples: list[Example]
    left_out: dict[str, int]


class _LeaveOut(Exception):
    """Nothing can be learned from this row."""


def examples(task: Task, split: Split, data: Path | None) -> Reading:
    """All examples of a split, in the source's order. Warns when the official split has another size."""
    located = load(task, split, data)
    rows = [flat for row in located for flat in _flat(task, row)]
    if task.kind == "tagging":
        rows = _in_bio(rows)
    left_out: Counter[str] = Counter()
    unlearnable = Counter[str]()
    found: list[Example] = []
    seen: Counter[str] = Counter()
    read = _READERS[task.kind](task)
    for index, row in enumerate(rows):
        reason, example = read(row, index)
        if reason and split == "train":
            left_out[reason] += 1
            continue
        unlearnable[reason] += 1
        seen[example.id] += 1
        if seen[example.id] > 1:
            example = example.model_copy(update={"id": f"{example.id}#{seen[example.id]}"})
        found.append(example)
    if not found:
        place = local_files(task, split, data)[0] if data and not task.source.generate else f"the {split} split"
        raise UsageError(f"task {task.name!r}: {place} has no rows that can be used{_told(left_out)}")
    if left_out:
        warnings.warn(f"{task.name} {split}: {sum(left_out.values())} rows left out{_told(left_out)}", stacklevel=2)
    del unlearnable[""]
    if unlearnable:
        warnings.warn(f"{task.name} {split}: kept and scored although{_told(unlearnable)}", stacklevel=2)
    if len(seen) < len(found):
        warnings.warn(f"{task.name} {split}: {len(found) - len(seen)} ids came more than once", stacklevel=2)
    _check_size(task, split, len(located) if task.kind == "tagging" else len(rows))
    return Reading(found, dict(left_out))


def _told(counts: Counter[str]) -> str:
    return ": " + ", ".join(f"{count} × {reason}" for reason, count in sorted(counts.items())) if counts else ""


def _check_size(task: Task, split: Split, size: int) -> None:
    declared = task.sizes.get(split)
    if declared is not None and declared != size:
        what = "sentences" if task.kind == "tagging" else "rows"
        warnings.warn(
            f"{task.name} {split}: {size} {what}, the official split has {declared}; "
            "scores are not comparable with published ones",
            stacklevel=3,
        )


def _flat(task: Task, row: Located) -> Iterator[Located]:
    """The rows in the harness's fields that a source's row stands for."""
    if task.rows is None:
        yield row
        return
    try:
        for fields in task.rows(row.fields):
            yield Located(row.place, fields)
    except KeyError as error:
        found = ", ".join(sorted(map(str, row.fields))) or "nothing"
        raise UsageError(f"{row.place}: field {error} is missing (task {task.name!r}); the row has {found}") from None
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(f"{row.place}: {error} (task {task.name!r})") from None


Read = Callable[[Located, int], tuple[str, Example]]  # why nothing can be learned from it, or ""; and the example


def _fields_of(*forms: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"\{(\w+)\}", "".join(form or "" for form in forms))))


def _classification(task: Task) -> Read:
    names, needed = _fields_of(task.plain, task.pattern), _fields_of(task.plain)
    places = {name.casefold(): index for index, name in enumerate(task.classes)}

    def read(row: Located, index: int) -> tuple[str, Example]:
        texts = {name: _text(task, row, name) for name in names}
        label = str(_field(task, row, "label"))
        place = places.get(label.casefold())  # JSON's `true` and the hub's "True" are one label
        if place is None:
            raise _unknown(task, row, "label", label)
        return _blank(texts, needed), _example(row, index, texts=texts, labels=(place,))

    return read


def _choice(task: Task) -> Read:
    names, needed = _fields_of(task.plain, task.pattern), _fields_of(task.plain)

    def read(row: Located, index: int) -> tuple[str, Example]:
        choices = _field(task, row, "choices")
        if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(one, dict) for one in choices):
            raise UsageError(f"{row.place}: a choice needs a list of at least two candidates (task {task.name!r})")
        own = {name for one in choices for name in one} | {"choice"}
        texts = {name: _text(task, row, name) for name in names if name not in own}
        candidates = tuple(
            {name: _text(task, Located(row.place, one), name) for name in ("choice", *one)} for one in choices
        )
        label = _field(task, row, "label")
        right = label if isinstance(label, list) else [label]
        if not all(isinstance(at, int) and not isinstance(at, bool) and 0 <= at < len(choices) for at in right):
            raise _unknown(task, row, "label", str(label))
        said = tuple(Answer(text=text, start=-1) for text in row.fields.get("answers", ()))
        made = _example(row, index, texts=texts, choices=candidates, labels=tuple(right), answers=said)
        blank = _blank(texts, needed) or next(filter(None, (_blank(one, ("choice",)) for one in candidates)), "")
        return blank or ("" if right else "no candidate is right"), made

    return read


def _tagging(task: Task) -> Read:
    places = {name: index for index, name in enumerate(task.classes)}

    def read(row: Located, index: int) -> tuple[str, Example]:
        words, tags, marks = row.fields["words"], row.fields["tags"], row.fields.get("marks", ())
        if not all(isinstance(at, int) and 0 <= at < len(words) for at in marks):
            raise UsageError(f"{row.place}: marks {list(marks)} are not all words of a sentence of {len(words)}")
        for tag in tags:
            if tag not in places:
                raise _unknown(task, row, "tag", tag)
        labels = tuple(places[tag] for tag in tags)
        return "", _example(row, index, words=tuple(words), labels=labels, marks=tuple(marks))

    return read


def _span(task: Task) -> Read:
    def read(row: Located, index: int) -> tuple[str, Example]:
        texts = {name: _text(task, row, name) for name in ("question", "context")}
        if not texts["context"].strip():
            raise UsageError(f"{row.place}: the context is empty (task {task.name!r})")
        given = _field(task, row, "answers")
        if not given and not task.answerless:
            raise UsageError(f"{row.place}: the question has no answer, which task {task.name!r} does not allow")
        answers = tuple(_placed(texts["context"], answer["text"], answer["start"]) for answer in given)
        made = _example(row, index, texts=texts, answers=answers, labels=(int(bool(answers)),))
        lost = bool(answers) and all(answer.start < 0 for answer in answers)
        return _blank(texts, ("question",)) or ("an answer is not in its context" if lost else ""), made

    return read


def _placed(context: str, text: str, start: int) -> Answer:
    """The answer at the place nearest to the given one where its text stands; -1 where it stands nowhere."""
    if not text.strip():
        return Answer(text=text, start=-1)
    if context[max(0, start) :].startswith(text) and start >= 0:
        return Answer(text=text, start=start)
    places = [found.start() for found in re.finditer(f"(?={re.escape(text)})", context)]
    return Answer(text=text, start=min(places, key=lambda place: abs(place - start), default=-1))


_READERS: dict[str, Callable[[Task], Read]] = {
    "classification": _classification,
    "choice": _choice,
    "tagging": _tagging,
    "span": _span,
}


def _in_bio(rows: list[Located]) -> list[Located]:
    """The rows with their tags in BIO, after a look at the lists of words and tags."""
    for row in rows:
        words, tags = row.fields.get("words"), row.fields.get("tags")
        for name, value in (("words", words), ("tags", tags)):
            if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
                raise UsageError(f"{row.place}: {name!r} must be a list of texts that is not empty")
        assert words is not None and tags is not None  # noqa: PT018
        if len(words) != len(tags):
            raise UsageError(f"{row.place}: {len(words)} words but {len(tags)} tags")
    tags = to_bio([row.fields["tags"] for row in rows], [row.place for row in rows])
    return [Located(row.place, {**row.fields, "tags": own}) for row, own in zip(rows, tags, strict=True)]


def _example(row: Located, index: int, **fields: Any) -> Example:
    """An Example of values that have been checked; validating them again would take most of the time."""
    group, query = row.fields.get("group"), row.fields.get("query")
    return Example.model_construct(
        id=str(row.fields.get("idx", index)),
        group=None if group is None else str(group),
        query=None if query is None else str(query),
        **fields,
    )


def _blank(texts: dict[str, str], needed: Sequence[str]) -> str:
    """Which of the texts is empty, as a reason to leave the row out; "" when none is. A cloze may have empty fields."""
    return next((f"an empty {name!r}" for name in needed if name in texts and not texts[name].strip()), "")


def _field(task: Task, row: Located, name: str) -> Any:
    if name not in row.fields:
        found = ", ".join(sorted(map(str, row.fields))) or "nothing"
        raise UsageError(f"{row.place}: field {name!r} is missing (task {task.name!r}); the row has {found}")
    return row.fields[name]


def _text(task: Task, row: Located, name: str) -> str:
    value = _field(task, row, name)
    if not isinstance(value, str):
        raise UsageError(f"{row.place}: field {name!r} must be text, found {type(value).__name__}")
    return value


def _unknown(task: Task, row: Located, what: str, value: str) -> UsageError:
    known = ", ".join(task.classes[:40]) if task.classes else "numbers of candidates"
    return UsageError(f"{row.place}: unknown {what} {value!r} for task {task.name!r}; known: {known}")
