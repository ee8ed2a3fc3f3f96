"""A user's own data, told in a few lines before anything is planned or checked."""

from __future__ import annotations

from typing import TypeVar

from rich.console import Console

from bench.escaping.terminal import Screen
from bench.own.suite import with_own_data
from bench.request import CheckRequest, RunRequest

Asking = TypeVar("Asking", RunRequest, CheckRequest)


def show_own_data(request: Asking, console: Console | None = None) -> Asking:
    """The request with its own data as a suite, which is declared; prints how they were understood.

    UsageError as bench.own.suite.with_own_data.
    """
    request, own = with_own_data(request)
    console = console or Screen()
    for line in own.lines if own else ():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for line in own.cautions if own else ():
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    return request
