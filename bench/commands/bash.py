"""Completion in bash, which cuts words at `=` and `:`, as in `pythia:70m`, before a program sees them."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from itertools import pairwise

CUT = re.compile(r"[=:]+")


def complete(complete_words: Callable[[], object]) -> None:
    """Print what `complete_words` prints for whole words, each without what stands before the piece that is typed.

    The pieces come in COMP_WORDS, with the number of the typed one in COMP_CWORD, as typer's script gives them.
    """
    pieces = os.environ.get("COMP_WORDS", "").split("\n")
    words = _whole(pieces[: int(os.environ.get("COMP_CWORD", "0")) + 1])
    os.environ |= {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        complete_words()
    before = max((end.end() for end in CUT.finditer(words[-1])), default=0)
    for value in printed.getvalue().splitlines():
        sys.stdout.write(value.removeprefix(words[-1][:before]) + "\n")


def _whole(pieces: list[str]) -> list[str]:
    """Words as they were typed: a cut and what follows it belong to the piece before."""
    words = pieces[:1] or [""]
    for last, piece in pairwise(pieces):
        if CUT.fullmatch(piece) or CUT.fullmatch(last):
            words[-1] += piece
        else:
            words.append(piece)
    return words
