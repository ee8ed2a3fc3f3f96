"""Commands that a script runs and times, and flags that it hands on to them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence


def divided_arguments() -> tuple[list[str], list[str]]:
    """The arguments of this process: its own, and those after `--`, which are for the command that it runs."""
    given = sys.argv[1:]
    return (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])


def seconds_of(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Wall time of a command; what it prints goes where this prints. SystemExit where it fails."""
    started = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **environment}, check=False)
    if done.returncode:
        raise SystemExit(f"exit code {done.returncode}: {' '.join(command)}")
    return time.perf_counter() - started
