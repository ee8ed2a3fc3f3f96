"""A sample of predictions with texts and labels, read from results folders that may lack any of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.kind import kinds
from bench.report.read.outcomes import Outcome
from bench.score.kind import TaskKind, same_text
from bench.store.checksums import checked_bytes
from bench.store.examples import examples_key, read_examples
from bench.store.predictions import PREDICTIONS, read_columns
from bench.store.record import Record
from bench.store.store import Store

MOST_WORDS = 80  # of a tagged sentence

Examples = list[dict[str, Any]]


class PredictionSamples:
    """Reads predictions; `examples` collects, by key, the scored examples they are of, each once for all cells."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.examples: dict[str, Examples] = {}
        self._kinds: dict[str, str] = {}

    def of(self, outcome: Outcome) -> dict[str, Any]:
        """`examples` (a key), `said` (a list of texts for each) and `right`; empty when there are no predictions."""
        store = Store(outcome.folder)
        rows = _read(store.cell_folder(outcome.cell.id) / PREDICTIONS, outcome.record)
        if not rows or not self.count:
            return {}
        places = spaced(len(rows), self.count)
        key = examples_key(outcome.cell)
        if key not in self.examples:
            self.examples[key], self._kinds[key] = _examples(store, key, [rows[at] for at in places])
        if [example["id"] for example in self.examples[key]] != [rows[at]["id"] for at in places]:
            return {}  # not the rows that the key stands for
        predicted = [list(rows[at]["predicted"]) for at in places]
        right = [is_right(rows[at]["label"], rows[at]["predicted"], self._kinds[key]) for at in places]
        return {
            "examples": key,
            "said": [texts[:MOST_WORDS] for texts in predicted],
            "right": [None if answer is None else int(answer) for answer in right],
        }


def spaced(length: int, count: int) -> list[int]:
    """At most `count` places out of `length`, the middles of as many equal stretches."""
    count = min(count, length)
    return [(2 * at + 1) * length // (2 * count) for at in range(count)]


def is_right(label: Sequence[str], predicted: Sequence[str], kind: str) -> bool | None:
    """Whether a whole prediction is right, as its kind of task says; None where it may be near, not right."""
    known = kinds().get(kind)
    return known.is_right(label, predicted) if isinstance(known, TaskKind) else same_text(label, predicted)


def _read(path: Path, record: Record | None) -> Examples:
    """The rows of a cell's predictions; none where they are not there or not what was written."""
    try:
        columns = read_columns(checked_bytes(path, record), ("id", "label", "predicted"))
    except (OSError, UsageError):
        return []
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _examples(store: Store, key: str, predicted: Examples) -> tuple[Examples, str]:
    """The examples of these predictions, texts and all, and the task's kind ("" when the texts were not kept)."""
    path = store.examples_file(key)
    examples, kind = read_examples(path, {row["id"] for row in predicted}) if path else ({}, "")
    return [_example(row, examples.get(row["id"], {})) for row in predicted], kind


def _example(row: dict[str, Any], texts: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "label": list(row["label"])[:MOST_WORDS],
        "fields": [list(pair) for pair in texts.get("fields", [])],
        "words": list(texts.get("words", []))[:MOST_WORDS],
        "candidates": list(texts.get("candidates", [])),
    }
