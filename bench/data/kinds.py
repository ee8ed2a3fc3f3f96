"""A row becomes an Example, each kind in its way; what does not fit is an error with the row's place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from bench.data.located import Located
from bench.data.tags import to_bio
from bench.data.tally import Tally
from bench.data.values import label_text, name_of, whole_number
from bench.errors import UsageError
from bench.task import Answer, Example, Task

Read = Callable[[Located, int], tuple[str, Example]]  # why nothing can be learned from it, or ""; and the example


def _fields_of(*forms: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"\{(\w+)\}", "".join(form or "" for form in forms))))


def _classification(task: Task) -> Read:
    names, needed = _fields_of(task.plain, task.pattern), _fields_of(task.plain)
    place_of = _labels(task.classes)

    def read(row: Located, index: int) -> tuple[str, Example]:
        texts = {name: _text(task, row, name) for name in names}
        label = label_text(_field(task, row, "label"))
        place = place_of(label)
        if place is None:
            raise _unknown(task, row, "label", label, task.classes)
        return _blank(texts, needed), _example(row, index, texts=texts, labels=(place,))

    return read


def _labels(classes: Sequence[str]) -> Callable[[str], int | None]:
    """Tells the class a label means: capitals aside where that is one class; 0 and 1 are truths, truths are 0 and 1."""
    exact = {name.strip(): place for place, name in enumerate(classes)}
    times = Counter(name.casefold() for name in exact)
    folded = {name.casefold(): place for name, place in exact.items() if times[name.casefold()] == 1}
    for numbers, truths in ((("0", "1"), ("false", "true")), (("false", "true"), ("0", "1"))):
        if {name.casefold() for name in classes} == set(truths):
            folded |= {number: folded[name] for number, name in zip(numbers, truths, strict=True)}
    return lambda label: exact.get(label, folded.get(label.casefold()))


def _choice(task: Task) -> Read:
    names, needed = _fields_of(task.plain, task.pattern), _fields_of(task.plain)

    def read(row: Located, index: int) -> tuple[str, Example]:
        choices = _field(task, row, "choices")
        if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(one, dict) for one in choices):
            raise UsageError(f"{row.place}: a choice needs a list of at least two candidates (task {task.name!r})")
        own = {name for one in choices for name in one} | {"choice"}
        texts = {name: _text(task, row, name) for name in names if name not in own}
        of_each = ("choice", *(name for name in names if name in own))  # what one candidate has, each must have
        candidates = tuple(
            {name: _text(task, Located(row.place, one), name) for name in dict.fromkeys((*of_each, *one))}
            for one in choices
        )
        label = _field(task, row, "label")
        numbers = [whole_number(at) for at in (label if isinstance(label, list) else [label])]
        right = [at for at in numbers if at is not None and 0 <= at < len(choices)]
        if len(right) < len(numbers):
            raise _unknown(task, row, "label", str(label), list(map(str, range(len(choices)))))
        said = row.fields.get("answers", [])
        if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
            raise UsageError(f"{row.place}: a choice's 'answers' must be a list of texts (task {task.name!r})")
        answers = tuple(Answer.model_construct(text=one, start=-1) for one in said)
        labels = tuple(dict.fromkeys(right))
        made = _example(row, index, texts=texts, choices=candidates, labels=labels, answers=answers)
        blank = _blank(texts, needed) or next(filter(None, (_blank(one, ("choice",)) for one in candidates)), "")
        return blank or ("" if right else "no candidate is right"), made

    return read


def _tagging(task: Task) -> Read:
    places = {name: index for index, name in enumerate(task.classes)}

    def read(row: Located, index: int) -> tuple[str, Example]:
        words, tags, marks = row.fields["words"], row.fields["tags"], row.fields.get("marks", [])
        if not isinstance(marks, list) or not all(_is_number(at) and 0 <= at < len(words) for at in marks):
            raise UsageError(f"{row.place}: marks {marks!r} are not all words of a sentence of {len(words)}")
        try:
            labels = tuple([places[tag] for tag in tags])
        except KeyError as error:
            at = tags.index(error.args[0])
            raise _unknown(task, Located(row.of_word(at), {}), "tag", tags[at], task.classes) from None
        return "", _example(row, index, words=tuple(words), labels=labels, marks=tuple(marks))

    return read


def _span(task: Task) -> Read:
    def read(row: Located, index: int) -> tuple[str, Example]:
        texts = {name: _text(task, row, name) for name in ("question", "context")}
        if not texts["context"].strip():
            raise UsageError(f"{row.place}: the context is empty (task {task.name!r})")
        given = _answers(task, row)
        if not given and not task.answerless:
            name = name_of(row.fields.get("idx"))
            which = f" {name!r}" if name else ""
            raise UsageError(f"{row.place}: the question{which} has no answer, which task {task.name!r} does not allow")
        answers = tuple(_placed(texts["context"], *answer) for answer in given)
        made = _example(row, index, texts=texts, answers=answers, labels=(int(bool(answers)),))
        lost = bool(answers) and all(answer.start < 0 for answer in answers)
        return _blank(texts, ("question",)) or ("an answer is not in its context" if lost else ""), made

    return read


def _answers(task: Task, row: Located) -> list[tuple[str, int]]:
    """Texts and starts, as the source gives them; an answer without a text is none (see `without_blank_answers`)."""
    given = _field(task, row, "answers")
    found = []
    for one in given if isinstance(given, list) else [None]:
        text, start = (one.get("text"), whole_number(one.get("start"))) if isinstance(one, dict) else (None, None)
        if not isinstance(text, str) or start is None:
            expected = 'a list of {"text": …, "start": a number of a character}'
            raise UsageError(f"{row.place}: 'answers' must be {expected} (task {task.name!r})")
        found.append((text, start))
    return found


def without_blank_answers(row: Located) -> Located:
    """The row of a span task without the answers that have no text: by them a prediction of nothing would be right."""
    given = row.fields.get("answers")
    if not isinstance(given, list):
        return row
    kept = [one for one in given if not (isinstance(one, dict) and _is_blank(one.get("text")))]
    reasons = (BLANK_ANSWER,) * (len(given) - len(kept))
    fields = {**row.fields, "answers": kept}
    return replace(row, fields=fields, repaired=(*row.repaired, *reasons)) if reasons else row


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _placed(context: str, text: str, start: int) -> Answer:
    """The answer at the place nearest to the given one where its text stands; -1 where it stands nowhere."""
    if start < 0 or not context.startswith(text, start):
        places = [found.start() for found in re.finditer(f"(?={re.escape(text)})", context)]
        start = min(places, key=lambda place: abs(place - start), default=-1)
    return Answer.model_construct(text=text, start=start)


BLANK_ANSWER = "an answer without a text, left out"
READERS: dict[str, Callable[[Task], Read]] = {
    "classification": _classification,
    "choice": _choice,
    "tagging": _tagging,
    "span": _span,
}


# Every field's default: model_construct() would deep-copy those that are not given, again and again.
_EMPTY: dict[str, Any] = {"texts": {}, "choices": (), "words": (), "marks": (), "answers": ()}


def in_bio(task: Task, rows: list[Located], repaired: Tally) -> list[Located]:
    """The rows with their tags in BIO, after a look at the lists of words and tags. What is repaired is counted."""
    for row in rows:
        words, tags = _field(task, row, "words"), _field(task, row, "tags")
        for name, value in (("words", words), ("tags", tags)):
            if not isinstance(value, list) or set(map(type, value)) != {str}:  # faster than isinstance() of each
                raise UsageError(f"{row.place}: {name!r} must be a list of texts that is not empty")
        if len(words) != len(tags):
            raise UsageError(f"{row.place}: {len(words)} words but {len(tags)} tags")
    made = []
    for _, group in groupby(rows, key=lambda row: row.source):
        own = list(group)
        found = to_bio([row.fields["tags"] for row in own], _places(own), repaired)
        made += [replace(row, fields={**row.fields, "tags": tags}) for row, tags in zip(own, found, strict=True)]
    return made


def _places(rows: Sequence[Located]) -> Callable[[int, int], str]:
    return lambda number, at: rows[number].of_word(at)


def _example(row: Located, index: int, **fields: Any) -> Example:
    """An Example of values that have been checked; validating them again would take most of the time."""
    named: dict[str, Any] = {"id": name_of(row.fields.get("idx")) or str(index)}
    named |= {name: name_of(row.fields.get(name)) for name in ("group", "part", "query")}
    return Example.model_construct(**(_EMPTY | named | fields))


def _blank(texts: dict[str, str], needed: Sequence[str]) -> str:
    """Which of the texts is empty, as a reason to leave the row out; "" when none is. A cloze may have empty fields."""
    return next((f"an empty {name!r}" for name in needed if name in texts and not texts[name].strip()), "")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


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


def _unknown(task: Task, row: Located, what: str, value: str, known: Sequence[str]) -> UsageError:
    shown = ", ".join(known[:40]) + (", …" if len(known) > 40 else "")
    return UsageError(f"{row.place}: unknown {what} {value!r} for task {task.name!r}; known: {shown}")
