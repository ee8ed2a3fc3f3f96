"""A user's questions about contexts, in SQuAD's layout or as a table with a question a row."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from bench.data.found import Asked, Found
from bench.data.located import Located
from bench.data.mapping import Columns, Fields, cell, text_cell
from bench.data.recognised import Recognised
from bench.data.squad import answers_of, is_article, questions, together
from bench.data.values import whole_number
from bench.errors import UsageError

CONTEXTS = ("context", "passage", "paragraph")
ANSWERS = ("answers", "answer", "answer_text")
START = "answer_start"
LENGTH = 384  # tokens, as in the official baselines of SQuAD


def recognised_questions(found: Found, asked: Asked) -> Recognised | None:
    """Articles of SQuAD, or a table with columns of questions, contexts and answers."""
    fields = _fields(found, asked)
    if fields is None:
        return None
    flat = [question for row in found.rows for question in _questions(fields, row)]
    answered = sum(bool(question["answers"]) for question in flat)
    if not answered:
        raise UsageError(f"{found.source}: not one of its {len(flat)} questions has an answer")
    return Recognised(
        rank=5,
        fields=fields,
        metrics=("f1", "em"),
        label="the answer in the context" + (", or that there is none" if answered < len(flat) else ""),
        answerless=answered < len(flat),
        max_length=LENGTH,
        clusters="article" if _has_articles(found) else str(fields.get("group", "passage")),
        parts="passage",
    )


def _fields(found: Found, asked: Asked) -> dict[str, str | tuple[str, ...]] | None:
    if _has_articles(found):
        return {"question": "question", "context": "context", "answers": "answers", "idx": "id"}
    question, context = asked.texts if len(asked.texts) == 2 else ("question", _first(found, CONTEXTS))
    answers = asked.label or _first(found, ANSWERS)
    if not (context and answers and {question, context, answers} <= set(found.columns)):
        return None
    if set(found.columns[answers].types) <= {"truth", "number"}:
        return None  # yes or no, or which of some candidates
    shown: list[Any] = [row.fields.get(answers) for row in itertools.islice(found.rows, 1000)]
    inside = [
        str(value) in str(row.fields.get(context))
        for row, value in zip(found.rows, shown, strict=False)
        if isinstance(value, str)
    ]
    if sum(inside) * 2 < len(inside):
        return None  # classes of a question and its passage
    marked = {"group": asked.group or _first(found, ("title",)), "idx": asked.idx or _first(found, ("id", "idx"))}
    start = {"start": START} if START in found.columns else {}
    told = {name: column for name, column in {**start, **marked}.items() if column}
    return {"question": question, "context": context, "answers": answers, **told}


def _has_articles(found: Found) -> bool:
    return any(is_article(row.fields) for row in found.rows)


def _questions(fields: Columns, row: Located) -> Iterator[Fields]:
    try:
        yield from (fields for fields in asked_rows(fields, row.fields, labelled=True) if "no_example" not in fields)
    except (ValueError, KeyError, TypeError) as error:
        missing = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{row.place}: {missing}") from None


def asked_rows(columns: Columns, row: Fields, labelled: bool) -> Iterator[Fields]:
    """A row for each question of an article, or the one of a table's row."""
    for flat in [row] if columns["question"] in row else questions(row):  # a table may call a column "paragraphs" too
        yield flat if "no_example" in flat else _asked(columns, flat, labelled)


def _asked(columns: Columns, row: Fields, labelled: bool) -> Fields:
    question, context = (text_cell(columns, row, name) for name in ("question", "context"))
    title = cell(columns, row, "group") if "group" in columns else row.get("title")
    found: Fields = {**together({"title": title, "context": context}), "question": question, "context": context}
    idx = cell(columns, row, "idx")
    if idx is not None:
        found["idx"] = idx
    if labelled:
        found["answers"] = answers_of({**_impossible(row), "answers": _answers(columns, row)}, idx)
    return found


def _impossible(row: Fields) -> Fields:
    return {"is_impossible": row["is_impossible"]} if "is_impossible" in row else {}


def _answers(columns: Columns, row: Fields) -> Any:
    """As SQuAD has them; of a text alone the first place where it stands is meant."""
    value = cell(columns, row, "answers")
    start = whole_number(cell(columns, row, "start"))
    if isinstance(value, str) and value.lstrip()[:1] not in ("[", "{"):
        value = [value]
    if isinstance(value, list):
        return [{"text": each, START: start or 0} if isinstance(each, str) else each for each in value]
    return [] if value is None else value


def _first(found: Found, names: tuple[str, ...]) -> str:
    folded = {name.casefold(): name for name in found.columns}
    return next((folded[name] for name in names if name in folded), "")
