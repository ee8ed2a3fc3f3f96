"""Trackio: project `TRACKIO_PROJECT`, else tuning-bench, on this machine or where its own variables say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import copy_context
from typing import Any

from bench.track.known import tracker
from bench.track.tracker import Run, Tracker

CONTEXT = copy_context()  # in which trackio knows its project; it says so once


@tracker("trackio")
class Trackio(Tracker):
    """A run for each cell, in the group of its results folder."""

    package = "trackio"

    def __init__(self, run: Run) -> None:
        self._last = 0
        self._run = CONTEXT.run(_begun, run)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=step)
        self._last = max(self._last, step)

    def close(self, status: str, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=self._last)
        self._run.finish()


def _begun(run: Run) -> Any:
    import trackio

    trackio.context_vars.current_run.set(None)  # which it would end: many are open at once
    return trackio.init(
        project=os.environ.get("TRACKIO_PROJECT", "tuning-bench"),
        name=run.name,
        group=run.group,
        config=run.settings,
        embed=False,
        auto_log_cpu=False,
        auto_log_gpu=False,
    )
