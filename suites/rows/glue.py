"""GLUE's rows, from its tables and from the hub, whose columns and labels have names of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.data.typed import Row, passage_id, text
from bench.data.values import label_text

BROKEN = "a line that lacks cells, a question being on two lines"
MATCHED = {"fiction", "government", "slate", "telephone", "travel"}  # the genres that MNLI's train rows are of
SETS = {"validation_matched": "matched", "validation_mismatched": "mismatched"}  # by the hub's names of both dev sets


def cola(row: Row) -> Iterator[Row]:
    """The label is a number in GLUE's table, a name on the hub."""
    label = named(row["label"], ("unacceptable", "acceptable"))
    yield {**_idx(row), "sentence": text(row, "sentence"), "label": label}


def sst2(row: Row) -> Iterator[Row]:
    """The label is a number in GLUE's table, a name on the hub."""
    yield {**_idx(row), "sentence": text(row, "sentence"), "label": named(row["label"], ("negative", "positive"))}


def mrpc(row: Row) -> Iterator[Row]:
    """The columns are Microsoft's in GLUE's table: `Quality` the label, `#1 String` and `#2 String` the texts."""
    names = ("#1 String", "#2 String") if "#1 String" in row else ("sentence1", "sentence2")
    label = named(row["Quality"] if "Quality" in row else row["label"], ("not_equivalent", "equivalent"))
    yield {**_idx(row), "sentence1": text(row, names[0]), "sentence2": text(row, names[1]), "label": label}


def stsb(row: Row) -> Iterator[Row]:
    """The label is `score` in GLUE's tables, which number their rows by `index`; on the hub `label` and `idx`."""
    label = row["score"] if "score" in row else row["label"]
    sentences = {name: text(row, name) for name in ("sentence1", "sentence2")}
    yield {"idx": row.get("index", row.get("idx")), **sentences, "label": label}


def qqp(row: Row) -> Iterator[Row]:
    """The label is `is_duplicate` in GLUE's table, which has questions that go over two lines: such rows are none."""
    if "cells" in row:
        yield {"no_example": BROKEN}
        return
    questions = {name: text(row, name) for name in ("question1", "question2")}
    label = row["is_duplicate"] if "is_duplicate" in row else row["label"]
    named_by = {"idx": row["id"]} if "id" in row else _idx(row)
    yield {**named_by, **questions, "label": named(label, ("not_duplicate", "duplicate"))}


def mnli(row: Row) -> Iterator[Row]:
    """Texts are sentences 1 and 2 in GLUE's tables. A dev row is of the matched set or of the mismatched: on the hub
    its split says which, in a table its genre. Hypotheses about one premise stay together.
    """
    names = ("sentence1", "sentence2") if "sentence1" in row else ("premise", "hypothesis")
    premise, hypothesis = text(row, names[0]), text(row, names[1])
    label = row["gold_label"] if "gold_label" in row else row["label"]
    fields = {"premise": premise, "hypothesis": hypothesis, "label": label}
    idx, subset = (row["pairID"] if "pairID" in row else row.get("idx")), None
    if "hub_split" in row:
        subset = SETS[text(row, "hub_split")]
        idx = f"{subset}-{idx}"  # both sets count theirs from 0
    elif "genre" in row:
        subset = "matched" if text(row, "genre").strip() in MATCHED else "mismatched"
    yield {"idx": idx, "group": passage_id(premise), "subset": subset, **fields}


def qnli(row: Row) -> Iterator[Row]:
    """The rows as they are; sentences to one question stay together."""
    question = text(row, "question")
    fields = {"question": question, "sentence": text(row, "sentence"), "label": row["label"]}
    yield {**_idx(row), "group": passage_id(question), **fields}


def wnli(row: Row) -> Iterator[Row]:
    """The label is a number in GLUE's table, a name on the hub; hypotheses about one premise stay together."""
    premise = text(row, "sentence1")
    label = named(row["label"], ("not_entailment", "entailment"))
    fields = {"premise": premise, "hypothesis": text(row, "sentence2"), "label": label}
    yield {**_idx(row), "group": passage_id(premise), **fields}


def named(label: Any, names: Sequence[str]) -> str:
    """The name of a label that may be its number."""
    found = label_text(label)
    return {str(number): name for number, name in enumerate(names)}.get(found, found)


def _idx(row: Row) -> Row:
    """The row's own number, `index` in GLUE's tables, where it has one."""
    return next(({"idx": row[name]} for name in ("index", "idx") if name in row), {})
