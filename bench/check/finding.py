"""What a check came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.errors import UsageError

Status = Literal["passed", "failed", "skipped", "told"]


@dataclass(frozen=True)
class Finding:
    """One line of `bench check`: what was looked at, what was asked of it, and the answer.

    `told` is a fact that is neither right nor wrong, `skipped` something that cannot be asked here; `note` says why.
    """

    about: str
    check: str
    status: Status
    note: str = ""


def in_words(rule: Callable[..., object]) -> str:
    """The name of a rule as a line has it."""
    return rule.__name__.replace("_", " ")


class Skipped(Exception):
    """A check that cannot be made here, with the reason."""


class Broken(AssertionError):
    """A rule that is not kept, in words for whoever wrote the method or the task."""


def attempt(about: str, check: str, ask: Callable[[], str | None]) -> Finding:
    """Ask; what comes back is a note. Whatever is raised is a failure with its own words, but for Skipped."""
    try:
        return Finding(about, check, "passed", ask() or "")
    except Skipped as reason:
        return Finding(about, check, "skipped", str(reason))
    except (Broken, UsageError) as error:
        return Finding(about, check, "failed", str(error))
    except Exception as error:  # the plugin's own
        return Finding(about, check, "failed", f"{type(error).__name__}: {error}")
