"""RTE's rows as a user of the Trainer makes them, from lines of JSON with premise, hypothesis and label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CLASSES = ("entailment", "not_entailment")


def token_rows(tokenizer: Any, file: Path, max_length: int) -> list[dict[str, Any]]:
    """Token ids, cut at `max_length`, and the label's number."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    encoded = []
    for row in rows:
        ids = tokenizer(row["premise"], row["hypothesis"], truncation=True, max_length=max_length)
        encoded.append({**ids, "labels": CLASSES.index(row["label"])})
    return encoded
