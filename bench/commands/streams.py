"""Where lines go that a terminal cannot show, or that nobody reads any more."""

from __future__ import annotations

import codecs
import os
import sys
from io import TextIOWrapper
from shutil import get_terminal_size
from textwrap import fill

from bench.errors import shortened
from bench.escaping.unseen import in_a_line

MOST_SAID = 1500  # characters of a line on standard error
ASCII = {"×": "x", "→": "->", "…": "...", "–": "-", "—": "-", "·": "-", "≤": "<=", "≥": ">=", "±": "+/-", "−": "-"}


def show_what_can_be_shown() -> None:
    """From here on a character that the terminal's encoding lacks is written in ASCII; it would be an error."""
    codecs.register_error("tuning-bench", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="tuning-bench")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(ASCII.get(letter, "?") for letter in lacking), error.end


def tell(kind: str, message: str) -> None:
    """A line on standard error, as "error: …"; on a terminal broken between words."""
    line = f"{kind}: {in_a_line(shortened(' '.join(message.split()), MOST_SAID))}"
    if sys.stderr.isatty():
        line = fill(line, get_terminal_size().columns, break_long_words=False, break_on_hyphens=False)
    print(line, file=sys.stderr)


def nobody_reads() -> None:
    """Standard output goes nowhere from here on: `| head` has what it wants, and Python would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
