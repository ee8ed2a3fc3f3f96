"""How much of a run is over, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.commands import tally
from bench.commands.tally import Tally


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [100.0]
    monkeypatch.setattr(tally.time, "monotonic", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def test_the_rest_takes_as_long_as_all_who_work_at_it_take(clock: Callable[[float], None]) -> None:
    folder = {"there before"}
    counted = Tally(8, lambda known: set(folder), folder)
    assert (counted.over, counted.left) == (0, None)
    clock(10.0)
    counted.add("mine")
    assert (counted.over, counted.left, counted.passed) == (1, 70.0, 10.0)
    folder |= {"mine", "theirs", "theirs too"}
    clock(20.0)
    assert (counted.over, counted.left) == (3, 50.0)


def test_what_ends_in_no_record_counts_and_no_more_than_there_are(clock: Callable[[float], None]) -> None:
    folder = {"of another grid", "another's", "a third"}
    counted = Tally(3, lambda known: set(folder))
    for mine in ("failed", "done", "done"):
        counted.add(mine)
    assert counted.over == 2
    clock(5.0)
    assert (counted.over, counted.left) == (3, 0.0)


def test_the_folder_is_looked_at_every_other_second_and_not_what_is_known_there(
    clock: Callable[[float], None],
) -> None:
    asked: list[set[str]] = []

    def look(known: object) -> set[str]:
        asked.append(set(known))  # type: ignore[call-overload]
        return {"before", "theirs"}

    counted = Tally(9, look, {"before"})
    for _ in range(30):
        assert counted.over <= 1
        clock(0.5)
    assert 6 <= len(asked) <= 8
    assert asked[:2] == [{"before"}, {"before", "theirs"}]
