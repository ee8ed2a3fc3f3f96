"""Errors that a user can cause and mend."""

import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

NO_MEMORY = (  # as libraries say it whose errors have no class of their own for it
    "can't allocate memory", "Cannot allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
)  # fmt: skip
LONGEST_NAME = 200  # characters; a longer one is no slip of the hand


class UsageError(ValueError):
    """What was asked, what was found, what to do: the command line prints it as one line and exits with code 2."""


class OutOfMemory(UsageError):
    """Memory lacks, of a device or of the machine: it says nothing of what was asked, and is kept nowhere."""


class WordError(ValueError):
    """What a task's rows raise where a word of a sentence, counted from 0, does not fit: the user reads its line."""

    def __init__(self, word: int, message: str) -> None:
        super().__init__(message)
        self.word = word


class UnfitModel(UsageError):
    """A model that is there and cannot be used: in a grid its cells are left out, and others run."""


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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was all that lacked: with more of it the same would have been done."""
    if isinstance(error, MemoryError | OutOfMemory) or type(error).__name__ == "OutOfMemoryError":  # torch's, by name
        return True
    if isinstance(error, RuntimeError | OSError):
        return any(mark in str(error) for mark in NO_MEMORY)
    return type(error).__name__ == "PydanticSerializationError" and "MemoryError" in str(error)  # all it keeps of it


def out_of_memory_line(error: BaseException) -> str:
    """What to say where memory has lacked for what is no cell's."""
    return f"not enough memory{_said(error)}; end other programs, or take a smaller --token-budget or model"


def tell_in_lines(tell: Callable[[str, str], None]) -> None:
    """From here on warnings are told in lines, and so is memory that lacks where Python lets go of something: it would
    be shown as ignored, with its lines of code, and forgotten.
    """
    warnings.showwarning = lambda message, *_, **__: tell("warning", str(message))
    before = sys.unraisablehook

    def hear(lost: Any) -> None:
        if not issubclass(lost.exc_type, MemoryError):
            before(lost)
            return
        with suppress(MemoryError):  # what lacks here too is told by whoever needs it next
            tell("warning", "memory was used up for a moment; what is said and written is so all the same")

    sys.unraisablehook = hear


@contextmanager
def overheard() -> Iterator[set[str]]:
    """The texts of the warnings that are told within the block."""
    told: set[str] = set()
    before = warnings.showwarning

    def hear(message: Warning | str, *others: Any, **named: Any) -> None:
        told.add(str(message))
        before(message, *others, **named)

    warnings.showwarning = hear
    try:
        yield told
    finally:
        warnings.showwarning = before


@contextmanager
def with_memory_to(what: str) -> Iterator[None]:
    """Within the block memory that lacks is an OutOfMemory: "not enough memory to `what`"."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OutOfMemory) or not is_out_of_memory(error):
            raise
        raise OutOfMemory(f"not enough memory to {what}{_said(error)}") from error


def _said(error: BaseException) -> str:
    """An error's first line in brackets, without what follows its first sentences; nothing of one that has no words."""
    line = next(iter(str(error).strip().splitlines()), "")
    return f" ({shortened(line, 160)})" if line else ""


def shortened(text: str, most: int = 200) -> str:
    """A text of at most so many characters: of a longer one the beginning and the end."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]} … {text[-most // 4 :]}"


def shown(value: Any) -> str:
    """A value as Python writes it, shortened; "…" for a whole number of thousands of digits, which it does not."""
    try:
        return shortened(repr(value))
    except ValueError:
        return "…"


def unknown(noun: str, name: str, known: Iterable[str], hint: str = "") -> UsageError:
    """The error for a name nobody registered, with the known name that was meant, if one is close, and all known."""
    names = sorted(known)
    near = nearest(name, names)
    asked = f"unknown {noun} {shortened(name)!r}" + (f"; did you mean {near!r}?" if near else ";")
    return UsageError(f"{asked} known: {', '.join(names) or 'none'}." + (f" {hint}" if hint else ""))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a mistyped one was meant to be; None where none is close enough to be it.

    Close is what a slip of the hand makes of a name, word by word: a letter wrong, missing, too many or swapped with
    the next, two or three in a long word. `roberta-base` is another model than `roberta-large`, and no slip. Its last
    part alone does where it has a `/`, and its beginning where no other name begins so. Capitals make no difference,
    and neither does what stands between words.
    """
    names = list(dict.fromkeys(map(str, known)))
    if len(name) > LONGEST_NAME:
        return None
    slips = {other: count for other in names if (count := _distance(name, other)) is not None}
    if slips:
        return min(slips, key=lambda other: (slips[other], other[:1] != name[:1], len(other), other))
    start = "".join(_words(name))
    longer = [other for other in names if len(start) > 2 and "".join(_words(other)).startswith(start)]
    return longer[0] if len(longer) == 1 else None


def _distance(name: str, other: str) -> int | None:
    """The number of slips between two names; None where they are too many."""
    found = []
    for meant in {other, other.rpartition("/")[2]}:
        asked_words, words = _words(name), _words(meant)
        if len(asked_words) != len(words):  # `fine-tuning` may be `finetune`
            asked_words, words = ["".join(asked_words)], ["".join(words)]
        pairs = [(_slips(*pair), max(map(len, pair))) for pair in zip(asked_words, words, strict=True)]
        if all(count <= _most_slips(length) for count, length in pairs):
            found.append(sum(count for count, _ in pairs))
    return min(found, default=None)


def _most_slips(length: int) -> int:
    """How many slips a word of so many letters may have: one up to 7, three from 10 on."""
    return min(3, (length + 2) // 4) if length > 7 else int(length > 2)


def _words(name: str) -> list[str]:
    return re.split(r"[-_. /:]+", name.casefold().strip("-_. "))


def _slips(one: str, other: str) -> int:
    """Letters to be changed, put in, left out or swapped with the next (optimal string alignment distance)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[-1] = min(row[-1], before[j - 2] + 1)
        before, last = last, row
    return last[-1]
