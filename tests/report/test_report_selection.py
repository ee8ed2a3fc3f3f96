"""Reports of chosen settings and of seeds taken apart: nothing is mixed, and what is missing is said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.cell import TRIAL_SEED, Cell
from bench.report.read.frame import frame, outcomes, scored, varied
from bench.report.statistics.power import errors_needed, seeds_can_show
from bench.report.tables.formats import LATEX
from bench.report.tables.table import Section, section_csv, section_latex, section_markdown
from bench.report.tables.trials import chosen_section
from bench.report.tables.variance import shares, variance_section
from bench.store.record import Record

# --- chosen settings


def trials_of(cell: Any, task: str, *lengths: int) -> list[Cell]:
    return [
        cell(
            task,
            stage="trial",
            seed=TRIAL_SEED,
            settings={"length": length, "head": "linear"},
            drawn={"length": length},
        )
        for length in lengths
    ]


def tried(record: Any, trial: Cell, score: float | None = None, status: str = "done") -> Record:
    return record(trial, status=status).model_copy(update={"selection_score": score})


def chosen(trials: list[Cell], winner: int | None, seed: int = 0) -> Cell:
    """The scoring cell of some trials: with the winner's settings, or waiting with the first one's."""
    of = trials[winner or 0]
    return of.changed(stage="score", seed=seed, trials=len(trials), tried=tuple(trial.id for trial in trials),
                      drawn={} if winner is None else of.drawn)  # fmt: skip


def test_one_line_over_tasks_whose_chosen_settings_differ_and_none_of_it_with_settings_by_hand(
    cell: Any, record: Any, store: Any
) -> None:
    rte, cb = trials_of(cell, "rte", 20, 8), trials_of(cell, "cb", 20, 8)
    cells = [chosen(rte, 1), chosen(cb, 0), cell("rte"), cell("rte", settings={"length": 8, "head": "linear"},
                                                              given={"length": 8})]  # fmt: skip
    made = store([record(one, 60.0) for one in cells] + [tried(record, trial, 50.0) for trial in rte + cb])
    rows = frame([made])
    assert sorted(zip(rows["task"], rows["label"], rows["trials"], strict=True)) == [
        ("cb", "ptv2 (chosen of 2 trials)", 2),
        ("rte", "ptv2", 0), ("rte", "ptv2 (chosen of 2 trials)", 2), ("rte", "ptv2 (length=8)", 0),
    ]  # fmt: skip
    by_label = {(row.task, row.label): (row.settings["length"], row.given) for row in rows.itertuples()}
    assert by_label["rte", "ptv2 (chosen of 2 trials)"] == (8, {})
    assert by_label["rte", "ptv2 (length=8)"] == (8, {"length": 8})


def test_trials_are_named_in_no_label_where_all_lines_have_as_many(cell: Any, record: Any, store: Any) -> None:
    cells = [chosen(trials_of(cell, task, 20, 8), 1) for task in ("rte", "cb")]
    assert set(frame([store([record(one, 60.0) for one in cells])])["label"]) == {"ptv2"}


def test_two_folders_that_came_to_two_choices_are_told_apart_in_that_entry_alone(
    cell: Any, record: Any, store: Any
) -> None:
    rte, cb = trials_of(cell, "rte", 20, 8), trials_of(cell, "cb", 20, 8)
    first = store([record(chosen(rte, 1), 60.0), record(chosen(cb, 1), 60.0)], name="a")
    second = store([record(chosen(rte, 0, seed=1), 80.0), record(chosen(cb, 1, seed=1), 60.0)], name="b")
    rows = frame([first, second])
    assert sorted(set(zip(rows["task"], rows["label"], strict=True))) == [
        ("cb", "ptv2"),
        ("rte", "ptv2 [length=20]"), ("rte", "ptv2 [length=8]"),
    ]  # fmt: skip


def test_a_later_choice_of_the_same_trials_takes_the_place_of_an_earlier_one(
    cell: Any, record: Any, store: Any
) -> None:
    trials = trials_of(cell, "rte", 20, 8)
    earlier, later = chosen(trials, 0), chosen(trials, 1)
    made = store([record(earlier, 60.0)], planned=[*trials, earlier])
    store([record(later, 70.0)], planned=[*trials, later])
    rows = frame([made])
    assert list(zip(rows["label"], rows["score"], strict=True)) == [("ptv2", 70.0)]


def test_a_cell_that_waits_is_missing_with_the_reason_until_its_choice_is_planned(
    cell: Any, record: Any, store: Any
) -> None:
    trials = trials_of(cell, "rte", 20, 8)
    waiting = [chosen(trials, None, seed) for seed in (0, 1)]
    made = store([tried(record, trials[0], 50.0)], planned=[*trials, *waiting])
    rows = frame([made])
    assert list(rows["status"]) == ["missing", "missing"]
    assert set(rows["reason"]) == {"its setting is not chosen yet: 1 of 2 trials are finished"}
    section = chosen_section(outcomes([made]), rows, "superglue")
    assert section is not None
    assert section.rows == (
        ("small", "ptv2", "rte", "its setting is not chosen yet: 1 of 2 trials are finished", "–",
         "2 (1 missing)"),
    )  # fmt: skip
    store([tried(record, trials[1], 55.0)], planned=[*trials, *(chosen(trials, 1, seed) for seed in (0, 1))])
    assert list(frame([made])["reason"]) == ["", ""]


def test_the_chosen_settings_of_every_line_model_and_task_are_listed(cell: Any, record: Any, store: Any) -> None:
    trials = trials_of(cell, "rte", 20, 8, 64)
    outcomes_of = [(60.0, "done"), (75.25, "done"), (None, "diverged")]
    made = store(
        [record(chosen(trials, 1, seed), 61.0) for seed in (0, 1)]
        + [tried(record, trial, *outcome) for trial, outcome in zip(trials, outcomes_of, strict=True)]
        + [record(cell("cb"), 50.0)]
    )
    found = outcomes([made])
    section = chosen_section(found, scored(found), "superglue")
    assert section is not None
    assert section.rows == (("small", "ptv2 (chosen of 3 trials)", "rte", "length=8", "75.2", "3 (1 diverged)"),)
    assert "the slice held out of train" in section.notes[0]
    assert chosen_section(found, scored(found), "other") is None


# --- seeds taken apart

INIT, ORDER, SEEDS = (60.0, 64.0, 59.0), (60.0, 61.0, 62.5), (60.0, 66.0, 57.0)


@pytest.fixture
def apart(cell: Any, record: Any, store: Any) -> Any:
    """Records of the scores above: the first of each is the ordinary cell at the first seed."""
    cells = {(seed, ""): cell(seed=seed) for seed in range(3)}
    cells |= {(seed, stream): cell(streams={stream: seed}) for stream in ("init", "order") for seed in (1, 2)}
    scores = {(seed, ""): SEEDS[seed] for seed in range(3)}
    scores |= {(seed, stream): of[seed] for stream, of in (("init", INIT), ("order", ORDER)) for seed in (1, 2)}
    return store([record(cells[key], scores[key]) for key in cells])


def test_the_ordinary_table_has_no_varied_cell(apart: Any) -> None:
    assert sorted(frame([apart])["score"]) == sorted(SEEDS)


def test_a_streams_scores_are_its_own_and_the_ordinary_cell_at_the_first_seed(apart: Any) -> None:
    rows = varied(outcomes([apart]))
    found = {stream: list(of.sort_values("stream_seed")["score"]) for stream, of in rows.groupby("stream")}
    assert found == {"init": list(INIT), "order": list(ORDER)}
    assert list(rows["stream_seed"]) == [0, 1, 2, 0, 1, 2]


def test_shares_are_those_of_the_variances(apart: Any) -> None:
    found = outcomes([apart])
    table = shares(varied(found), scored(found)).set_index("stream")
    init, order = np.var(INIT, ddof=1), np.var(ORDER, ddof=1)
    assert (init, order) == (7.0, pytest.approx(1.5833333))
    assert table.loc["init", "sd"] == pytest.approx(math.sqrt(init))
    assert table.loc["init", "share"] == pytest.approx(init / (init + order))
    assert table.loc["order", "share"] == pytest.approx(order / (init + order))
    assert table.loc["together", "sd"] == pytest.approx(np.std(SEEDS, ddof=1))
    assert math.isnan(table.loc["together", "share"])
    assert set(table["n"]) == {3}


def test_the_section_shows_spread_and_share(apart: Any) -> None:
    found = outcomes([apart])
    section = variance_section(shares(varied(found), scored(found)), "superglue")
    assert section is not None
    assert section.header == ("model", "method", "task", "init sd", "order sd", "together sd", "seeds")
    assert section.rows == (("small", "ptv2", "rte accuracy", "2.65 (82 %)", "1.26 (18 %)", "4.58", "3"),)


def test_without_two_finished_seeds_there_is_neither_spread_nor_share(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 60.0), record(cell(streams={"init": 1}), 62.0)], planned=[cell(streams={"order": 1})])
    found = outcomes([made])
    table = shares(varied(found), scored(found)).set_index("stream")
    assert table.loc["init", "sd"] == pytest.approx(math.sqrt(2))
    assert (table.loc["order", "n"], math.isnan(table.loc["order", "sd"])) == (1, True)
    assert table["share"].isna().all()
    section = variance_section(table.reset_index(), "superglue")
    assert section is not None
    assert section.rows == (("small", "ptv2", "rte accuracy", "1.41", "missing", "missing", "1–2"),)


def test_where_nothing_was_varied_there_is_no_section(cell: Any, record: Any, store: Any) -> None:
    found = outcomes([store([record(cell(), 60.0)])])
    assert variance_section(shares(varied(found), scored(found)), "superglue") is None


def test_equal_scores_have_no_shares(cell: Any, record: Any, store: Any) -> None:
    found = outcomes([store([record(cell(), 60.0), record(cell(streams={"init": 1}), 60.0)])])
    table = shares(varied(found), scored(found)).set_index("stream")
    assert table.loc["init", "sd"] == 0
    assert math.isnan(table.loc["init", "share"])


# --- further tables as text

SECTION = Section("chosen-x", "Chosen settings", ("method", "score"), (("a|b_c", "1 %"),), ("A note.",), words=1)


def test_a_section_escapes_what_its_format_would_take_for_a_mark() -> None:
    assert section_markdown(SECTION) == (
        "## Chosen settings\n\n| method | score |\n| :--- | ---: |\n| a\\|b_c | 1 % |\n\nA note.\n"
    )
    latex = section_latex(SECTION)
    assert rf"a{LATEX['|']}b\_c & 1 \% \\" in latex
    assert r"\begin{tabular}{lr}" in latex
    assert r"\caption{Chosen settings. A note.}" in latex
    assert section_csv(SECTION) == "method,score\na|b_c,1 %\n"


# --- what seeds can show


@pytest.mark.parametrize(("seeds", "tests"), [(2, 1), (3, 9), (5, 45), (10, 1)])
def test_the_errors_needed_are_the_sums_of_students_quantiles(seeds: int, tests: int) -> None:
    from scipy.stats import norm, t

    level = 0.05 / (2 * tests)
    assert errors_needed(seeds, tests) == pytest.approx(t.isf(level, seeds - 1))
    assert errors_needed(seeds, tests, borrowed=1e6) == pytest.approx(norm.isf(level), rel=1e-4)


def test_what_is_needed_is_what_the_tests_of_verdicts_need() -> None:
    from bench.report.statistics.intervals import Estimate, tails

    level = 0.05 / (2 * 9)
    needed = 2.0 * errors_needed(3, 9)
    just, short = (Estimate(factor * needed, (2.0, 2.0), (2.0, 2.0)) for factor in (1.001, 0.999))  # standard error 2
    assert tails([just], 0.0)[0] < level < tails([short], 0.0)[0]


@pytest.mark.parametrize(
    ("seeds", "tests", "said"),
    [
        (1, 4, "1 seed: no spread, no interval and no verdict can be given; 2 seeds can be compared, 3 to 5 are usual"),
        (3, 9, "3 seeds: the first verdict of 9 comparisons takes a difference of 2.8 standard errors where many cells "
            "are spread alike, of 13.4 where no spread can be borrowed; no collapse in 3 runs rules out no rate under "
            "63 %"),
        (5, 1, "5 seeds: the first verdict of 1 comparison takes a difference of 2.0 standard errors where many cells "
            "are spread alike, of 2.8 where no spread can be borrowed; no collapse in 5 runs rules out no rate under "
            "45 %"),
    ],
)  # fmt: skip
def test_a_number_of_seeds_is_told_what_it_can_show(seeds: int, tests: int, said: str) -> None:
    assert seeds_can_show(seeds, tests) == said


def test_a_plan_counts_the_comparisons_of_its_averages(cell: Any, tmp_path: Path) -> None:
    """Three lines with two models: one line is the reference, which leaves four comparisons, whatever the tasks."""
    from io import StringIO

    from rich.console import Console

    from bench.cell import Plan
    from bench.preview import print_plan
    from bench.selection import Choice

    cells = tuple(
        cell(task, model, method, seed)
        for task in ("rte", "cb") for model in ("small", "large") for method in ("finetune", "ptv2", "lora")
        for seed in range(3)
    )  # fmt: skip
    shown = StringIO()
    print_plan(Console(file=shown), Plan(cells), Choice(cells, (), ()), 0, len(cells), tmp_path)
    assert shown.getvalue().splitlines()[-1] == seeds_can_show(3, 4)


def test_lines_swept_with_trials_are_a_sweep_by_what_was_given(cell: Any, record: Any, store: Any) -> None:
    from bench.report.files import collect
    from bench.report.read.sweeps import find, variants

    records = []
    for length, rate in ((2, 0.1), (8, 0.01)):  # each variant's trials chose another rate
        settings = {"length": length, "learning_rate": rate, "head": "linear"}
        trial = cell(stage="trial", seed=TRIAL_SEED, settings=settings, given={"length": length},
                     drawn={"learning_rate": rate})  # fmt: skip
        records += [record(trial.changed(stage="score", seed=0, trials=1, tried=(trial.id,)), 60.0 + length)]
    report = collect([store(records).path], {})
    sweeps = find(variants(report.frame, report.summary))
    assert {setting: [[v.score for v in line.variants] for line in lines] for setting, lines in sweeps.items()} == {
        "length": [[62.0, 68.0]]
    }
