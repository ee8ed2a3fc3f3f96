"""Where a number comes from: versions, commit, machine, command."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# Those that a score goes through: models and what injects into them, texts and rows read, draws, fits and metrics.
PACKAGES = (
    "tuning-bench", "torch", "transformers", "tokenizers", "datasets", "safetensors", "peft", "numpy", "scipy",
    "scikit-learn", "bitsandbytes",
)  # fmt: skip


# commands other than the one that started this process, each with how many of its workers share the device; the last
# one counts
_asked: list[tuple[tuple[str, ...], int]] = []


def provenance(device: str) -> dict[str, Any]:
    """Versions of the packages that can change a number (None: not installed), the harness's git commit, the machine
    and the command; `workers` where several of its workers shared the device, of whose time a cell then had a part.
    """
    shared = {"workers": sharing()} if sharing() > 1 else {}
    return {**_surroundings(), "device": device, **shared, "git_commit": _commit(), "command": list(command())}


def sharing() -> int:
    """How many workers of this process's command share its device, itself among them."""
    return _asked[-1][1] if _asked else 1


def command() -> tuple[str, ...]:
    """The command that asked for what this process measures."""
    return _asked[-1][0] if _asked else ("bench", *sys.argv[1:])


@contextmanager
def asked_by(words: Sequence[str], workers: int = 1) -> Iterator[None]:
    """Within the block this process works for that command: of another process, or what says a call in Python again;
    so many of its `workers` are on the device.
    """
    _asked.append((tuple(words), workers))
    try:
        yield
    finally:
        _asked.pop()


@cache
def _surroundings() -> dict[str, Any]:
    return {
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _commit() -> str | None:
    """The commit the harness runs from, with `+changes` when its files differ from it; None outside a checkout."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=folder, capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if changed else "")
