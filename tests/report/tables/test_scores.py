"""Tables say what is there, what is not and why, in every format."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.cell import Budget
from bench.report.files import collect
from bench.report.read.names import natural, seeds_text
from bench.report.tables.console import print_table
from bench.report.tables.formats import latex, latex_text, markdown
from bench.report.tables.numbers import count_text, score_text, share_text
from bench.report.tables.table import Table
from bench.store.record import Costs, Counts
from tests.report.conftest import write_report

AVERAGE = {"superglue": ("rte", "boolq", "cb")}


def table_of(store: Any, averages: dict[str, tuple[str, ...]] = AVERAGE) -> Table:
    (table,) = collect([store.path], averages).tables
    return table


def entries(table: Table, row: int = 0) -> dict[str, str]:
    return dict(zip(table.header, (*table.rows, *table.footer)[row], strict=True))


def test_an_entry_is_mean_and_sd_over_seeds(cell: Any, record: Any, store: Any) -> None:
    table = table_of(store(record(cell(seed=seed), score) for seed, score in enumerate([56.6, 57.8, 59.0])))
    assert entries(table) == {
        "model": "small", "method": "ptv2", "head": "linear", "stored parameters": "983k (4.9 %)", "seeds": "3",
        "rte accuracy": "57.8 ± 1.2", "Average (rte)": "57.8 ± 1.2",
    }  # fmt: skip
    assert entries(table, -1)["rte accuracy"] == "52.7"  # the trivial baseline
    assert table.problems == ()


def test_entries_that_are_not_shown_to_be_above_the_trivial_baseline_are_named(
    cell: Any, record: Any, store: Any
) -> None:
    """RTE's is 52.7: one line's interval reaches down to it, one seed's mean is below it, a third is clear of it."""
    scores = {"ptv2": [60.0, 50.0, 58.0], "lora": [52.0], "finetune": [70.0, 70.4, 69.8]}
    made = store(
        record(cell(method=method, seed=seed), score)
        for method, own in scores.items()
        for seed, score in enumerate(own)
    )
    (note,) = [note for note in table_of(made).notes if "Not shown to be above it" in note]
    assert note.endswith("the mean): rte: lora with small, ptv2 with small.")


def test_a_lacking_seed_is_counted_and_named(cell: Any, record: Any, store: Any) -> None:
    cells = [cell(seed=seed) for seed in range(3)]
    records = [
        record(cells[0], 57.0),
        record(cells[1], 59.0),
        record(cells[2], status="failed", reason="out\nof memory"),
    ]
    table = table_of(store(records, planned=cells))
    assert entries(table)["rte accuracy"] == "58.0 ± 1.4 (2/3)"
    assert table.problems == ("small · ptv2 · rte: failed, seed 2: out of memory",)


@pytest.mark.parametrize("status", ["missing", "failed", "diverged"])
def test_an_entry_without_a_seed_says_so_and_so_does_the_average(
    status: str, cell: Any, record: Any, store: Any
) -> None:
    cells = [cell("rte"), cell("boolq"), cell("cb")]
    records = [record(cells[0], 90.0), record(cells[1], 90.0)]
    records += [record(cells[2], status=status, reason="a reason")] if status != "missing" else []
    table = table_of(store(records, planned=cells))
    name = "cb" if status == "missing" else "cb accuracy"  # a metric nothing has reported is not known
    assert entries(table)[name] == status
    assert entries(table)["Average"] == "missing"
    assert table.problems[0].startswith(f"small · ptv2 · cb: {status}, seed 0")


def test_models_go_by_size_and_the_chosen_tasks_come_first(cell: Any, record: Any, store: Any) -> None:
    cells = [cell(task, model) for task in ("wic", "rte", "boolq", "cb") for model in ("org/large", "small")]
    table = table_of(store(record(one, 60.0) for one in cells))
    assert table.header[5:] == ("rte accuracy", "boolq accuracy", "cb accuracy", "wic accuracy", "Average")
    assert [row[0] for row in table.rows] == ["large", "small"]  # org/large has 1M parameters here


def test_a_task_nobody_asked_for_is_a_dash(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell("rte"), 60.0), record(cell("cb", method="finetune"), 60.0)])
    table = table_of(made)
    assert entries(table, 0) | {"rte accuracy": "–", "Average": "missing"} == entries(table, 0)


def test_the_caption_says_protocol_budget_seeds_and_spread(cell: Any, record: Any, store: Any) -> None:
    text = markdown(table_of(store(record(cell(seed=seed), 60.0) for seed in (0, 1, 2))))
    for part in (
        "Protocol: holdout",
        "Budget: 10 epochs × batch 32; texts of at most 128 tokens",
        "Seeds: 0–2",
        "standard deviation",
    ):
        assert part in text


def test_the_caption_names_what_the_usual_average_has_and_this_has_not(cell: Any, record: Any, store: Any) -> None:
    table = table_of(store([record(cell("rte"), 60.0), record(cell("cb"), 70.0)]))
    assert entries(table)["Average"] == "65.0"
    assert any("of rte, cb, taken per seed" in note and "has boolq too" in note for note in table.notes)


def test_the_csv_holds_the_numbers_with_the_average_among_the_tasks(cell: Any, record: Any, store: Any) -> None:
    made = store(record(cell(seed=seed), score) for seed, score in enumerate([51.0, 52.0, 53.0]))
    (path,) = (path for path in write_report([made.path], {"csv"}, AVERAGE) if path.name.startswith("table"))
    rows = list(csv.DictReader(path.open()))
    assert [row["task"] for row in rows] == ["rte", "average"]
    for row in rows:
        assert (row["mean"], row["sd"], row["n"], row["expected"]) == ("52", "1", "3", "3")
        assert (row["low"], row["high"]) == ("49.5159", "54.4841")
        assert row["backbone_parameters"] == "20000000"


def test_latex_escapes_what_latex_would_run(cell: Any, record: Any, store: Any) -> None:
    cells = [cell(method="a_b"), cell(method="a_b", seed=1)]
    made = store([record(cells[0], 60.0), record(cells[1], status="failed", reason=r"50% of {x} & \y_1 ~ #3 ^ $")])
    text = latex(table_of(made))
    assert r"small & a\_b & linear & 983k (4.9 \%) & 2 & 60.0 (1/2) & 60.0 (1/2) \\" in text
    assert r"50\% of \{x\} \& \textbackslash{}y\_1 \textasciitilde{} \#3 \textasciicircum{} \$" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert latex_text("57.8 ± 1.2") == r"57.8 $\pm$ 1.2"


def test_markdown_keeps_a_bar_inside_its_cell(cell: Any, record: Any, store: Any) -> None:
    text = markdown(table_of(store([record(cell(method="a|b"), 60.0)])))
    assert r"| a\|b |" in text


def test_models_with_the_same_last_name_are_shown_in_full(cell: Any, record: Any, store: Any) -> None:
    table = table_of(store(record(cell(model=model), 60.0) for model in ("a/bert", "b/bert")))
    assert [row[0] for row in table.rows] == ["a/bert", "b/bert"]


def test_a_pipe_gets_markdown_and_a_terminal_a_drawn_table(cell: Any, record: Any, store: Any) -> None:
    table = table_of(store([record(cell(method="[bold]"), 60.0)]))
    plain, drawn = io.StringIO(), io.StringIO()
    print_table(table, Console(file=plain, width=40))
    print_table(table, Console(file=drawn, width=200, force_terminal=True, color_system=None))
    assert plain.getvalue().strip() == markdown(table).strip()
    assert "[bold]" in drawn.getvalue()
    assert "─" in drawn.getvalue()


def test_an_empty_folder_still_gives_a_report(store: Any, tmp_path: Path) -> None:
    paths = write_report([store().path], {"md", "csv", "tex", "png", "svg"}, AVERAGE, to=tmp_path / "out")
    assert [path.name for path in paths] == [
        "table.md",
        "table.csv",
        "table.tex",
        "scale.png",
        "scale.svg",
        "figures.md",
    ]
    assert "Nothing was measured" in paths[0].read_text()


def test_lines_go_by_the_numbers_in_their_names(cell: Any, record: Any, store: Any) -> None:
    lengths = (128, 16, 2)
    made = store(record(cell(settings={"length": length}, given={"length": length}), 60.0) for length in lengths)
    assert [row[1] for row in table_of(made).rows] == [f"ptv2 (length={length})" for length in (2, 16, 128)]
    rates = ["x=1", "x=0.0001", "x=0.01", "x=1e-05", "x=0.002"]
    assert sorted(rates, key=natural) == ["x=1e-05", "x=0.0001", "x=0.002", "x=0.01", "x=1"]


def test_words_for_numbers() -> None:
    assert [count_text(n) for n in (float("nan"), 0, 950, 983_040, 4_386_178, 22.7e6, 335e6, 999.6e6, 2e9)] == [
        "?", "0", "950", "983k", "4.39M", "22.7M", "335M", "1B", "2B"
    ]  # fmt: skip
    assert share_text(983_040, 335e6) == "983k (0.29 %)"
    assert share_text(335e6, 335e6) == "335M (100 %)"
    assert seeds_text([5, 0, 1, 2, 2]) == "0–2, 5"
    assert score_text(57.81, 1.24, 3, 3) == "57.8 ± 1.2"
    assert score_text(57.81, float("nan"), 1, 3) == "57.8 (1/3)"


def test_the_caption_says_which_texts_were_cut_to_what(cell: Any, record: Any, store: Any) -> None:
    long = cell(task="cb", budget=Budget(max_length=384))
    cut = record(long, 60.0).model_copy(update={"counts": Counts(scored=50, scored_cut=7)})
    table = table_of(store([record(cell(), 50.0), cut]))
    assert "texts of at most 128 tokens (rte), 384 tokens (cb)" in table.notes[0]
    assert table.notes[1] == "Scored rows that were longer and lost some of their text: cb 7 of 50."
    assert {row[1] for row in table.rows} == {"ptv2"}  # one line, not one per length


def test_the_caption_says_what_came_before_and_on_top_of_the_budget(cell: Any, record: Any, store: Any) -> None:
    assert not any("several data sets" in note for note in table_of(store([record(cell(), 50.0)])).notes)
    costly = [
        record(cell(method="mpt2", seed=seed), 50.0).model_copy(update={"costs": Costs(steps=40, joint_steps=steps)})
        for seed, steps in ((0, 30), (1, 35))
    ]
    (note,) = [note for note in table_of(store([record(cell(), 50.0), *costly])).notes if "several data sets" in note]
    assert note == "Steps on several data sets together, before and on top of the budget: mpt2 30–35."
