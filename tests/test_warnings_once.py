"""Every worker reads what its command has read, and warns of the same: it is said once."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from bench.commands.lines import WarningsOnce
from bench.errors import overheard


def test_what_the_command_has_warned_of_its_workers_do_not_say_again(bench: Any) -> None:
    code, out, err = bench.run("--seeds", "2", "--device", "cpu:2", "--scored-rows", "4")
    assert code == 0
    told = [line for line in (out + err).splitlines() if line.startswith("warning: ")]
    assert told
    assert sorted(set(told)) == sorted(told)


def test_of_other_lines_all_are_said() -> None:
    said: list[str] = []
    say = WarningsOnce(said.append, told=["few rows"])
    for line in (
        "warning: few rows",
        "warning: long rows",
        "the worker ended",
        "warning: long rows",
        "the worker ended",
    ):
        say(line)
    assert said == ["warning: long rows", "the worker ended", "the worker ended"]


def test_what_is_overheard_is_told_too() -> None:
    with pytest.warns(UserWarning, match="few rows"), overheard() as told:
        warnings.warn("few rows", stacklevel=1)
    assert told == {"few rows"}
    with pytest.warns(UserWarning, match="long rows"):
        warnings.warn("long rows", stacklevel=1)
    assert told == {"few rows"}
