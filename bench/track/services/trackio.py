"""Trackio: project `TRACKIO_PROJECT`, else tuning-bench, on this machine or where its own variables say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from contextvars import copy_context
from io import StringIO
from typing import TypeVar

from bench.track.known import tracker
from bench.track.tracker import Run, Tracker

Made = TypeVar("Made")


@tracker("trackio")
class Trackio(Tracker):
    """A run for each cell, in the group of its results folder."""

    package = "trackio"

    def __init__(self, run: Run) -> None:
        import trackio

        self._last = 0
        self._run = _quietly(
            lambda: trackio.init(
                project=os.environ.get("TRACKIO_PROJECT", "tuning-bench"),
                name=run.name,
                group=run.group,
                config=run.settings,
                embed=False,
                auto_log_cpu=False,
                auto_log_gpu=False,
            )
        )

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=step)
        self._last = max(self._last, step)

    def close(self, status: str, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=self._last)
        _quietly(self._run.finish)


def _quietly(what: Callable[[], Made]) -> Made:
    """Its lines would break into the display. In a context of its own, since it ends the run of the same context before
    it begins another.
    """
    with redirect_stdout(StringIO()):
        return copy_context().run(what)
