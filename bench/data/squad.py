"""Rows of SQuAD: an article with its paragraphs, as in the official files, or a question with its context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.data.typed import Row, name_of, number, passage_id, tables, text, truth

ARTICLE = "paragraphs"  # the field that only an article has


def is_article(row: Mapping[str, Any]) -> bool:
    """Whether a row is an article of the official files, and not a row of a table that calls a column so."""
    paragraphs = row.get(ARTICLE)
    if not isinstance(paragraphs, list) or not all(isinstance(paragraph, dict) for paragraph in paragraphs):
        return False
    return not paragraphs or any({"context", "qas"} & paragraph.keys() for paragraph in paragraphs)


def squad(row: Row) -> Iterator[Row]:
    """A row per question, from an article of the official files or a flat row of the hub.

    What stays together is an article, by its title; where articles are too few, or have no titles, a passage.
    """
    for question in questions(row):
        yield question if "no_example" in question else _question(question)


def questions(row: Row) -> Iterator[Row]:
    """The questions of an article or of a flat row as flat rows, each with its `context` and, where there is one,
    `title`; `no_example` where a part of an article has none.
    """
    if ARTICLE not in row:
        yield row
        return
    paragraphs = tables(row, ARTICLE)
    if not paragraphs:
        yield {"no_example": "an article without paragraphs"}
    for paragraph in paragraphs:
        context = text(paragraph, "context")
        listed = tables(paragraph, "qas")
        if not listed:
            yield {"no_example": "a paragraph without questions"}
        for question in listed:
            yield question | {"title": row.get("title"), "context": context}


def together(row: Row) -> Row:
    """The `group` of a flat row, its article or else its passage, and the passage as its `part`."""
    title, passage = row.get("title"), passage_id(text(row, "context"))
    return {"group": title if isinstance(title, str) and title.strip() else passage, "part": passage}


def answers_of(row: Row, idx: str | None) -> list[Row]:
    """The answers of a flat row. ValueError where `is_impossible` and the answers contradict each other: nobody can
    tell which is wrong.
    """
    impossible = truth(row, "is_impossible")
    listed = tables(row, "answers") if row.get("answers") is not None or not impossible else []
    answers: list[Row] = [{"text": text(answer, "text"), "start": number(answer, "answer_start")} for answer in listed]
    answered = any(answer["text"].strip() for answer in answers)
    if impossible is not None and impossible == answered:
        contradiction = "but has an answer" if answered else "but has no answer"
        raise ValueError(f"question {idx!r} says is_impossible: {str(impossible).casefold()}, {contradiction}")
    return answers


def _question(row: Row) -> Row:
    named, idx = together(row), name_of(row, "id")
    answers = answers_of(row, idx)
    return {"idx": idx, **named, "question": text(row, "question"), "context": row["context"], "answers": answers}
