"""RTE's training rows as both sides take them, from a folder with its train.jsonl (premise, hypothesis, label)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.task import Source, Task

RTE = Task(
    name="rte",
    kind="classification",
    source=Source(local=("{split}.jsonl",)),
    plain="{premise}[SEP]{hypothesis}",
    classes=("entailment", "not_entailment"),
    metrics=("accuracy",),
)


def token_rows(tokenizer: Any, file: Path, max_length: int) -> list[dict[str, Any]]:
    """What a user of the Trainer makes of a file: token ids, cut at `max_length`, and the label's number."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    encoded = []
    for row in rows:
        ids = tokenizer(row["premise"], row["hypothesis"], truncation=True, max_length=max_length)
        encoded.append({**ids, "labels": RTE.classes.index(row["label"])})
    return encoded
