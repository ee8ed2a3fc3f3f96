"""Where results are, when nobody says which."""

from __future__ import annotations

from pathlib import Path

from bench.errors import UsageError

RESULTS = Path("results")


def newest_results() -> Path:
    """The results folder under results/ that was written to last; UsageError when there is none."""
    marks = sorted(RESULTS.glob("*/store.json"), key=lambda mark: _written(mark.parent))
    if not marks:
        raise UsageError("no results folder under results/; make one with `bench run`, or name one")
    return marks[-1].parent


def _written(folder: Path) -> float:
    parts = [folder, folder / "cells", folder / "plans"]
    return max(path.stat().st_mtime for path in parts if path.exists())
