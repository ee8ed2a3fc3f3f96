"""One line for what was typed wrong, with what to type."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.commands.help import spelling
from bench.errors import UsageError, nearest, shortened
from bench.fields import PLAIN
from bench.spelling import check_place

DASHES = "‐‑‒–—−"  # what a word processor makes of a hyphen
MUST_BE = {kind.shown: f"it must be {kind.must_be}" for kind in (PLAIN[int], PLAIN[float])}
Context = Any  # typer's own class, which moves with its versions


def refusal(error: Exception) -> str | None:
    """The line for what typer refuses, in our words; None for an error that is not of that kind."""
    said = getattr(error, "format_message", None)  # by what it can do: the class moves with versions
    if said is None:
        return None
    ctx, flag, parameter = (getattr(error, name, None) for name in ("ctx", "option_name", "param"))
    path = ctx.command_path if ctx else "bench"
    if flag is not None and hasattr(error, "possibilities"):
        line = _unknown_flag(ctx, flag)
    elif flag is not None and "requires" in said():
        line = f"{flag} needs a value" + "".join(f": {flag} {noun}" for noun in _nouns(ctx, flag))
    elif parameter is not None and "Missing" in said():
        line = f"{path} needs {spelling(parameter)}: {parameter.help or ''}"
    elif parameter is not None:
        wrong = MUST_BE.get(parameter.metavar) or getattr(error, "message", said())
        line = f"{parameter.opts[0]}: {wrong}"
    else:
        line = said()
    line = line.strip().rstrip(".")
    return f"{line}{'' if line.endswith('?') else ';'} see {path} --help"


def check_values(ctx: Context, typed: Sequence[str]) -> None:
    """UsageError where a flag stands in the place of another one's value, which has been forgotten."""
    flags = {*_flags(ctx.command), "--help"}
    for flag, value in pairwise(typed):
        if value in flags and (noun := next(_nouns(ctx, flag), None)):
            raise UsageError(f"{flag} needs a value before {value}: {flag} {noun}; see {ctx.command_path} --help")


def _flags(command: Any) -> list[str]:
    return [flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)
            if flag.startswith("-")]  # fmt: skip


def _nouns(ctx: Context, flag: str) -> Iterator[str]:
    for parameter in ctx.command.params:
        if flag in parameter.opts and not getattr(parameter, "is_flag", False):
            yield parameter.metavar or parameter.name.upper()


def _unknown_flag(ctx: Context, flag: str) -> str:
    """An unknown flag, with the nearest of this command, or the command that has it."""
    if not flag.startswith("--"):  # of `-methods` the first letter is refused
        flag = next((word for word in sys.argv[1:] if word.startswith(flag)), flag)
    asked = flag.partition("=")[0]
    path = ctx.command_path
    near = nearest(asked, [*_flags(ctx.command), "--help"])
    unknown = f"unknown flag {shortened(asked)} of {path}"
    if near:
        return f"{unknown}; did you mean {near}?"
    others = getattr(ctx.find_root().command, "commands", {})
    having = [f"bench {name}" for name, command in others.items() if asked in _flags(command)]
    return unknown + (f"; {' and '.join(having)} can have it" if having else "")


def unasked_word(ctx: Context, word: str) -> str:
    """What to do about a word that no argument is there for."""
    start = f"{ctx.command_path} cannot take {shortened(word)!r}"
    flags = _flags(ctx.command)
    if word.startswith(tuple(DASHES)):
        return f"{start}: a flag begins with two hyphens: --{shortened(word.lstrip(DASHES + '-'))}"
    noun = next((noun for noun, names in _known_names() if word in names), None)
    for flag in (f"--{noun}", f"--{noun}s"):
        if flag in flags:
            several = ", several with commas between them" if flag.endswith("s") else ""
            return f"{start} alone: it is a {noun}; give {flag} {word}{several}"
    try:
        check_place(word)
    except UsageError:
        return f"{start}: it takes no such argument"
    place = Path(word)
    for flag, fits in (("--config", place.suffix == ".toml"), ("--plugin", place.suffix == ".py"),
                       ("--models", (place / "config.json").is_file()), ("--data", place.exists())):  # fmt: skip
        if fits and flag in flags and place.exists():
            return f"{start} alone; give {flag} {word}"
    if flags and re.search(r",", word):
        return f"{start} alone; give the flag that it is the value of"
    return f"{start}: it takes no such argument"


def _known_names() -> Iterator[tuple[str, Iterable[str]]]:
    """What can be named, by its noun."""
    from bench.registry import methods, suites

    yield "suite", suites()
    yield "method", methods()
    yield "task", {task.name for suite in suites().values() for task in suite.tasks}
    from bench.plan.models import known_models

    yield "model", known_models()
