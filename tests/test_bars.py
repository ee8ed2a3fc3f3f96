"""The bars of a run on terminals of any width: names whole, numbers whole, the rest as there is room."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from bench.commands.bars import Bars
from bench.commands.progress import PlainProgress, progress
from bench.commands.tally import Tally

LONG = "entailment · ptv2 (learning_rate=0.004, length=40) · roberta-large · seed 0"
SHORT = "rte · ptv2 · tiny · seed 1"


def drawn(width: int, *names: str) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)
    bars = Bars(console)
    bars.add_task("grid", total=120, completed=7, loss="cells", speed="")
    for name in names:
        bars.add_task(name, total=1560, completed=1040, loss="loss 0.693", speed="12,345 tokens/s")
    with console.capture() as shown:
        console.print(bars.make_tasks_table(bars.tasks))
    return [line.rstrip() for line in shown.get().splitlines()]


@pytest.mark.parametrize("width", [50, 60, 80, 100, 160])
@pytest.mark.parametrize("name", [LONG, SHORT])
def test_no_word_and_no_number_is_cut_at_any_width(width: int, name: str) -> None:
    lines = drawn(width, name, name.replace("seed", "seed 1"))
    words = " ".join(lines).split()
    assert max(map(len, lines)) <= width
    assert [word for word in (*name.split(), "1040/1560", "7/120", "0.693", "cells") if word not in words] == []
    assert "…" not in "".join(lines)


def test_more_is_shown_where_there_is_room() -> None:
    def shown(width: int) -> Iterator[bool]:
        text = "\n".join(drawn(width, SHORT))
        return (mark in text for mark in ("━", "tokens/s", "0:00:00"))

    assert list(shown(60)) == [False, False, False]
    assert list(shown(70)) == [True, False, False]
    assert list(shown(80)) == [True, True, False]
    assert list(shown(100)) == [True, True, True]


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress(Console(file=io.StringIO(), force_terminal=True), Tally(2)), PlainProgress)
