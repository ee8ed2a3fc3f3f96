"""The `bench` command in this process, and what must be true of every answer."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError
from tests.campaign.fuzzing.target import Broken

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # control characters but for tab and line feed
LONGEST = 2000  # characters of a refusal that anybody reads


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


class _Terminal(io.TextIOWrapper):
    """A stream as a terminal's is, whose bytes are kept."""

    def __init__(self) -> None:
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding="utf-8", write_through=True)

    def text(self) -> str:
        return self.kept.getvalue().decode("utf-8")


def bench(*arguments: str) -> Answer:
    """Run `bench ARGUMENTS`. Broken where its answer is none that a command may give."""
    from bench.cli import main

    out, err = _Terminal(), _Terminal()
    sys.argv, sys.stdout, sys.stderr = ["bench", *arguments], out, err
    os.environ.update(COLUMNS="200", HF_HUB_OFFLINE="1")
    code: Any = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    answer = Answer(int(code), out.text(), err.text())
    check(answer, arguments)
    return answer


def refused(*arguments: str) -> Answer:
    """Run it as `bench` does; its refusal is one of the case, a UsageError."""
    answer = bench(*arguments)
    if answer.code == 2:
        raise UsageError(answer.err)
    return answer


def check(answer: Answer, arguments: Sequence[str]) -> None:
    """Broken where the exit code, the number of lines or a character is none that may be."""
    shown = f"bench {' '.join(arguments)[:200]!r}: {answer.err[-2000:] or answer.out[-2000:]}"
    if answer.code not in (0, 1, 2):
        raise Broken(f"exit code {answer.code}: {shown}")
    if "Traceback (most recent call last)" in answer.err + answer.out:
        raise Broken(f"a traceback: {shown}")
    for name, text in (("output", answer.out), ("error", answer.err)):
        if raw := RAW.search(text):
            raise Broken(f"a raw control character on standard {name}: {raw.group()!r} in {text[:2000]!r}")
    said = [line for line in answer.err.splitlines() if not line.startswith("warning: ")]
    if answer.code == 2 and (len(said) != 1 or not said[0].startswith("error: ")):
        raise Broken(f"a refusal of {len(said)} lines: {shown}")
    if answer.code == 2 and len(said[0]) > LONGEST:
        raise Broken(f"a refusal of more than {LONGEST} characters: {shown}")
