"""Names that no file can have, and names of thousands of characters: one line that a person can read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError, nearest, shortened, shown, unknown
from bench.spelling import LONGEST_NAME, LONGEST_PATH, at_home, check_place

LONG = "n" * 5000
RUN = (
    "suite",
    "methods",
    "tasks",
    "models",
    "data",
    "out",
    "plugin",
    "config",
    "devices",
    "track",
    "vary",
    "precision",
)
LONGEST_LINE = 2000  # with all known names


@pytest.mark.parametrize("flag", RUN)
def test_a_name_of_five_thousand_characters_is_one_line(bench: Any, flag: str) -> None:
    assert len(bench.refusal(*bench("run", f"--{flag}", LONG))) < LONGEST_LINE


@pytest.mark.parametrize(
    "typed",
    [("status", LONG), ("report", LONG), ("show", LONG), ("show", "a", "--in", LONG), ("push", LONG, "--to", "hub:a/b"),
     ("list", LONG), ("predict", "a", "--data", LONG), ("export", "a", "--to", LONG), ("check", LONG), (LONG,)],
)  # fmt: skip
def test_so_it_is_for_every_command(bench: Any, typed: tuple[str, ...]) -> None:
    assert len(bench.refusal(*bench(*typed))) < LONGEST_LINE


@pytest.mark.parametrize(
    "typed",
    [
        ("run", "--out"),
        ("run", "--data"),
        ("run", "-c"),
        ("status",),
        ("report",),
        ("report", "--to"),
        ("show", "a", "--in"),
    ],
)
def test_a_place_that_is_not_in_utf_8_is_one_line(bench: Any, typed: tuple[str, ...]) -> None:
    place = os.fsdecode(b"r\xff")
    assert "the path is not in UTF-8; give it another name" in bench.refusal(*bench(*typed, place))


def test_the_longest_names_are_possible() -> None:
    check_place("/".join(["n" * LONGEST_NAME] * (LONGEST_PATH // (LONGEST_NAME + 1))))
    for place in ("n" * (LONGEST_NAME + 1), "é" * (LONGEST_NAME // 2 + 1), "n/" * LONGEST_PATH, "a\0b", "\ud83d"):
        with pytest.raises(UsageError):
            check_place(place)


def test_a_home_is_found_and_nobody_s_is_refused() -> None:
    assert at_home("~/x") == Path.home() / "x"
    assert at_home("a~/x") == "a~/x"
    with pytest.raises(UsageError, match="give the whole path"):
        at_home("~nobody-is-called-this/x")


def test_texts_are_shortened_in_their_middle() -> None:
    assert shortened("a" * 200) == "a" * 200
    assert shortened("a" * 150 + "b" * 150) == "a" * 133 + " … " + "b" * 50
    assert shown("x") == "'x'"
    assert shown(10 ** (sys.get_int_max_str_digits() + 1)) == "…"
    assert len(str(unknown("suite", LONG, ["glue", "smoke"]))) < 300
    assert nearest(LONG, [LONG[1:]]) is None
