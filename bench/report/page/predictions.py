"""A sample of predictions with texts and labels, read from results folders that may lack any of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.kind import kinds
from bench.report.read.outcomes import Outcome
from bench.score.kind import TaskKind, same_text
from bench.store.checksums import checked_bytes
from bench.store.examples import examples_key
from bench.store.seal import Spoiled
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
        rows = _read(store.cell_folder(outcome.cell.id) / "predictions.parquet", ["id", "label", "predicted"])
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


def _read(path: Path, columns: list[str]) -> Examples:
    """The rows of a cell's Parquet file; none where it is not there, or not what was written: a report does without."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: Examples = pq.read_table(pa.BufferReader(checked_bytes(path)), columns=columns).to_pylist()
    except (OSError, pa.ArrowException, Spoiled):
        return []
    return rows


def _examples(store: Store, key: str, predicted: Examples) -> tuple[Examples, str]:
    """The examples of these predictions, texts and all, and the task's kind ("" when the texts were not kept)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = store.examples_file(key)
    if path is None:
        return [_example(row, {}) for row in predicted], ""
    try:
        kind = (pq.read_schema(path).metadata or {}).get(b"kind", b"").decode()
        wanted = [row["id"] for row in predicted]
        examples = pq.read_table(path, filters=[("id", "in", wanted)]).to_pylist()
    except (OSError, pa.ArrowException):
        kind, examples = "", []
    by_id = {row["id"]: row for row in examples}
    return [_example(row, by_id.get(row["id"], {})) for row in predicted], kind


def _example(row: dict[str, Any], texts: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "label": list(row["label"])[:MOST_WORDS],
        "fields": [list(pair) for pair in texts.get("fields", [])],
        "words": list(texts.get("words", []))[:MOST_WORDS],
        "candidates": list(texts.get("candidates", [])),
    }
