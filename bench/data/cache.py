"""Where what can be made again is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`TUNING_BENCH_CACHE`, else `tuning-bench` in the user's cache folder; it may be deleted at any time."""
    folder = os.environ.get("TUNING_BENCH_CACHE")
    if folder:
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuning-bench"
