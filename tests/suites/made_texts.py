"""Texts of the vocabulary in tests/conftest.py, and files to put them into."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

COUNTS = {"train": 32, "val": 12, "dev": 12, "test": 12}


def made_sentence(rng: random.Random, low: int = 4, high: int = 9) -> list[str]:
    return [f"word{rng.randrange(60)}" for _ in range(rng.randint(low, high))]


def made_text(rng: random.Random, low: int = 4, high: int = 9) -> str:
    return " ".join(made_sentence(rng, low, high)) + "."


def write_packed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text, encoding="utf-8")
