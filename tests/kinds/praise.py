"""A regression task over the embedded language: how many of the adjectives of a text are kind ones."""

from __future__ import annotations

import random
from typing import Any

from bench.suites.smoke import MODELS
from bench.suites.smoke.lexicon import BAD, GOOD
from bench.task import Source, Suite, Task

NUM_ADJECTIVES = 5
NUM_ROWS = {"train": 400, "dev": 100}


def praise(split: str) -> list[dict[str, Any]]:
    rng = random.Random(split)
    rows = []
    for _ in range(NUM_ROWS[split]):
        kind_ones = rng.randrange(NUM_ADJECTIVES + 1)
        words = [*rng.choices(GOOD, k=kind_ones), *rng.choices(BAD, k=NUM_ADJECTIVES - kind_ones)]
        rng.shuffle(words)
        rows.append({"text": f"it was {' and '.join(words)} .", "label": kind_ones})
    return rows


PRAISE = Task(
    name="praise", kind="regression", source=Source(generate=praise), plain="{text}", metrics=("pearson", "spearman")
)
SUITE = Suite(name="praise", tasks=(PRAISE,), models=(str(MODELS / "tiny"),), methods=("finetune", "ptv2"))
