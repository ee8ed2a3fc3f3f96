"""Errors that a user can cause and mend."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class UsageError(ValueError):
    """What was asked, what was found, what to do: the command line prints it as one line and exits with code 2."""


class WordError(ValueError):
    """What a task's rows raise where a word of a sentence, counted from 0, does not fit: the user reads its line."""

    def __init__(self, word: int, message: str) -> None:
        super().__init__(message)
        self.word = word


class UnfitModel(UsageError):
    """A model that no change of files would make usable: in a grid its cells are left out, and others run."""


class NothingToTrain(UsageError):
    """A method that trains, but has no parameter with the head that was asked for."""


class CannotShare(Exception):
    """What `attach` raises on a backbone that lanes share, where it must change the model: the cell then has one alone.

    The message is the reason, for whoever looks into it; no user is told.
    """


class DeviceLost(Exception):
    """A device whose driver has failed: nothing more runs on it in this process. In another one it may.

    `records` are those that were written before.
    """

    records: tuple[Any, ...] = ()


class DiskError(UsageError):
    """The results folder takes no more: nothing can be recorded, so the run ends."""


def unknown(noun: str, name: str, known: Iterable[str], hint: str = "") -> UsageError:
    """The error for a name nobody registered, with the nearest known name and all known ones."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    asked = f"unknown {noun} {name!r}" + (f"; did you mean {near[0]!r}?" if near else ";")
    return UsageError(f"{asked} known: {', '.join(names) or 'none'}." + (f" {hint}" if hint else ""))
