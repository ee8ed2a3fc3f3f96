"""Tables on narrow terminals: no word and no number is cut, and what goes is named."""

from __future__ import annotations

import pytest
from rich.console import Console

from bench.report.tables.console import print_table
from bench.report.tables.fit import Column, fitted
from bench.report.tables.table import Table

CELLS = [Column("cell"), Column("model"), Column("task"), Column("method"), Column("head", goes=2), Column("seed"),
         Column("state", goes=1)]  # fmt: skip
ROWS = [
    [f"0dd96a7d46ae2f{seed}{number}", model, task, "ptv2 (learning_rate=0.004, length=40)", head, str(seed), "to run"]
    for seed in range(2)
    for number, (model, task, head) in enumerate(
        [("bert-large-cased", "entailment", "linear"), ("roberta-large", "consequence", "verbalizer")]
    )
]


def printed(width: int, columns: list[Column], rows: list[list[str]]) -> list[str]:
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as shown:
        for part in fitted(columns, rows, width):
            console.print(part)
    return [line.rstrip() for line in shown.get().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_word_of_a_listing_is_cut(width: int) -> None:
    lines = printed(width, CELLS, ROWS)
    assert max(map(len, lines)) <= width
    words = [word.rstrip(",") for word in " ".join(lines).split()]
    gone = lines[-1].partition("want of room: ")[2].split(", ")
    for row in ROWS:
        kept = [cell for cell, column in zip(row, CELLS, strict=True) if column.name not in gone]
        assert [word for cell in kept for word in cell.split() if word.rstrip(",") not in words] == []


def test_what_all_rows_have_alike_goes_above_and_what_matters_least_goes_out() -> None:
    at_80, at_60 = printed(80, CELLS, ROWS), printed(60, CELLS, ROWS)
    assert at_80[0] == "all: method ptv2 (learning_rate=0.004, length=40), state to run"
    assert at_80[1].split() == ["cell", "model", "task", "head", "seed"]
    assert at_60[2].split() == ["cell", "model", "task", "seed"]
    assert at_60[-1] == "not shown, for want of room: head"
    assert printed(200, CELLS, ROWS)[0].split() == [column.name for column in CELLS]


def test_a_single_row_keeps_all_its_columns_in_the_table() -> None:
    assert "ptv2" in " ".join(printed(80, CELLS, ROWS[:1])[1:])


def test_a_word_is_cut_only_where_no_column_can_go() -> None:
    lines = printed(20, [Column("name"), Column("number", is_number=True)], [["x" * 40, "123,456,789"]])
    assert max(map(len, lines)) <= 20
    assert "123,456,789" in " ".join(lines)


def test_a_range_may_go_on_in_a_second_line_before_a_word_is_cut() -> None:
    columns = [Column("method"), Column("head"), Column("stored parameters", is_number=True)]
    lines = printed(50, columns, [["prompt_tuning", "linear/verbalizer", "1.28k (0.93 %) – 1.74k (1.3 %)"]])
    assert lines[-2].split() == ["prompt_tuning", "linear/verbalizer", "1.28k", "(0.93", "%)", "–"]
    assert lines[-1].strip() == "1.74k (1.3 %)"


def wide_table(num_tasks: int) -> Table:
    tasks = [f"task{number} accuracy" for number in range(num_tasks)]
    scores = [f"{60 + number}.2 ± {number}.5" for number in range(num_tasks)]
    rows = tuple((model, method, "linear", *scores, "3") for model in ("bert-large", "roberta-large")
                 for method in ("finetune", "ptv2"))  # fmt: skip
    footer = (("any", "trivial", "", *["50.0"] * num_tasks, ""),)
    return Table("scores", "Suite many", ("model", "method", "head", *tasks, "seeds"), rows, footer=footer)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_wide_table_of_scores_goes_on_in_blocks_and_loses_no_number(width: int) -> None:
    table = wide_table(9)
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as shown:
        print_table(table, console)
    text = shown.get()
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    for number in range(9):
        assert text.count(f" {60 + number}.2 ± {number}.5") == 4
        assert text.count(f"task{number}") == 1
    assert text.count("trivial") == sum(line.startswith("bert-large     ptv2") for line in lines) > 1
    assert "…" not in text
