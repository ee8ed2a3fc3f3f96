"""A run of several workers: what all of them warn of is said once, and what follows it is measured by its wall time."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from bench.commands.lines import WarningsOnce
from bench.errors import overheard
from bench.store import alone
from bench.store.store import Store


def test_they_say_no_warning_again_and_a_tenth_of_their_run_is_one_of_its_wall_time(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run for both: its processes take seconds to start."""
    monkeypatch.setattr(alone, "SHARE", 1000.0)
    code, out, err = bench.run("--seeds", "4", "--scored-rows", "4", "--device", "cpu:2")
    assert code == 0
    told = [line for line in (out + err).splitlines() if line.startswith("warning: ")]
    assert told
    assert sorted(set(told)) == sorted(told)
    took = sum(record.costs.seconds for record in Store.open(Path("out")).records())
    at_most = re.search(r"measuring alone .*, (\d+) s at most", out)
    assert at_most
    assert int(at_most[1]) == pytest.approx(1000 * took / 2, abs=1)


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
