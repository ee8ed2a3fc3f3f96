"""The first table of a report: what it says to use, in words and numbers, of folders with known scores."""

from __future__ import annotations

import csv
import math
from typing import Any

import pytest

from bench.report.files import collect
from bench.report.tables.line_costs import LineCosts
from bench.report.tables.numbers import bytes_text, seconds_text
from bench.report.tables.table import Table
from bench.store.alone import Alone, alone_key, keep_alone
from bench.store.record import Parameters
from tests.report.conftest import write_report

AVERAGE = {"superglue": ("rte",)}
STORED = {"finetune": 20_000_000, "ptv2": 983_040, "bitfit": 100_000, "lora": 300_000, "prompt_tuning": 4_000}


def table_of(made: Any, margin: float = 1.0, averages: dict[str, tuple[str, ...]] | None = None) -> Table:
    (table,) = collect([made.path], averages or AVERAGE, margin=margin).recommendation_tables
    return table


@pytest.fixture
def measured(cell: Any, record: Any, store: Any) -> Any:
    """A folder of scores per method, a seed each, without predictions; what each keeps is in STORED."""

    def make(scores: dict[str, list[float]], lanes: int = 1, workers: int = 1, task: str = "rte", **more: Any) -> Any:
        records = []
        for method, of_method in scores.items():
            for seed, score in enumerate(of_method):
                one = record(cell(task, method=method, seed=seed), score)
                one.parameters = Parameters(trained=STORED[method], stored=STORED[method], backbone=20_000_000)
                one.costs.lanes = 1 if method == "finetune" else lanes
                one.provenance = {"device": "here", "workers": workers}
                records.append(one)
        return store(records, **more)

    return make


def test_the_cheapest_of_those_within_the_margin_is_what_to_use(measured: Any) -> None:
    scores = {"finetune": [80.0, 80.1, 80.2], "ptv2": [79.8, 79.9, 80.0], "bitfit": [70.0, 70.1, 70.2]}
    table = table_of(measured(scores), margin=1.0)
    assert table.lead == (
        "Use ptv2: 79.9, shown to be within 1 point of the best (the highest is finetune with 80.1), and keeps 3.93 MB "
        "instead of 80 MB.",
    )
    assert [row[:4] for row in table.rows] == [
        ("ptv2", "within 1", "79.9", "3.93 MB"),
        ("finetune", "best", "80.1", "80 MB"),
    ]
    assert [row[:4] for row in table.footer] == [("bitfit", "worse", "70.1", "400 kB")]
    assert table.title == "Which method to use: superglue, by rte, small"


def test_the_only_line_that_may_be_the_best_is_what_to_use(measured: Any) -> None:
    table = table_of(measured({"finetune": [80.0, 80.1, 80.2], "ptv2": [70.0, 70.1, 70.2]}))
    assert table.lead == ("Use finetune: 80.1, shown to be the best of 2.",)


def test_undecided_is_said_with_what_would_decide(measured: Any) -> None:
    scores = {"finetune": [79.0, 80.0, 81.0], "ptv2": [78.2, 79.2, 80.2], "bitfit": [60.0, 61.0, 62.0]}
    table = table_of(measured(scores))
    (lead,) = table.lead
    assert lead.startswith(
        "Undecided within 1 point: finetune and ptv2. Highest so far: finetune (80.0); cheapest not "
    )
    assert "shown to be worse: ptv2 (79.2), at most" in lead
    needed = next(row for row in table.rows if row[0] == "ptv2")[-1]
    assert lead.endswith(f"; about {needed} would decide.")
    assert 3 < int(needed.removesuffix(" seeds")) <= 100
    assert [row[:2] for row in table.rows] == [("ptv2", "undecided"), ("finetune", "highest so far")]


def test_with_one_seed_nothing_is_recommended(measured: Any) -> None:
    table = table_of(measured({"finetune": [80.0], "ptv2": [60.0]}))
    assert table.lead == (
        "Undecided: one run shows no spread, and 3 to 5 are usual. The highest score is finetune (80.0).",
    )
    assert [row[1] for row in table.rows] == ["one run", "one run"]


def test_one_line_is_no_choice_and_no_line_no_table(measured: Any, cell: Any, store: Any) -> None:
    assert table_of(measured({"ptv2": [60.0, 61.0]})).lead == (
        "Nothing to choose from yet: only ptv2 (60.5) has all its scores.",
    )
    assert collect([store(planned=[cell()], name="empty").path], AVERAGE).recommendation_tables == ()


def test_methods_that_have_not_learned_are_not_recommended(grid: Any) -> None:
    """RTE's trivial score is 52.7: 200 of 400 wrong is not above it."""
    (lead,) = table_of(grid({"finetune": 200, "ptv2": 230})).lead
    assert lead.startswith(
        "Nothing to use yet: no method is shown to score above the trivial answer, not even finetune ("
    )


def test_an_interrupted_run_says_what_is_known_and_what_lacks(measured: Any, cell: Any) -> None:
    """The reference runs first: its cells are there, one line has a task to come and another everything."""
    planned = [cell(method=method, seed=seed) for method in ("finetune", "ptv2", "bitfit") for seed in range(3)]
    made = measured({"finetune": [80.0, 80.1, 80.2], "ptv2": [70.0, 70.1]}, planned=planned)
    table = table_of(made)
    assert table.lead == ("Use finetune: 80.1, shown to be the best of 2. Not finished: bitfit.",)
    assert "4 of 9 cells have no score; with them the answer may change." in table.notes


def test_tasks_that_answer_otherwise_than_their_mean_are_told(cell: Any, record: Any, store: Any) -> None:
    scores = {("rte", "finetune"): 80.0, ("rte", "ptv2"): 90.0, ("cb", "finetune"): 90.0, ("cb", "ptv2"): 60.0}
    made = store(
        record(cell(task, method=method, seed=seed), score + seed / 100)
        for (task, method), score in scores.items()
        for seed in range(4)
    )
    table = table_of(made, averages={"superglue": ("rte", "cb")})
    assert table.lead == ("Use finetune: 85.0, shown to be the best of 2.",)
    assert "By task, each tested at 5 % over their number: rte: use ptv2; cb: use finetune." in table.notes
    numbers = table.numbers
    assert numbers is not None
    assert dict(zip(numbers["task"], numbers["level"], strict=False)) == {"average": 0.95, "rte": 0.975, "cb": 0.975}
    assert [tuple(row) for row in numbers[numbers["chosen"]][["task", "label"]].to_numpy()] == [
        ("average", "finetune"), ("rte", "ptv2"), ("cb", "finetune"),
    ]  # fmt: skip


def test_each_model_has_its_answer(grid: Any) -> None:
    table = table_of(grid({"finetune": (10, 100), "ptv2": (100, 10)}, models=("small", "large")))
    assert [line.split(": 9")[0] for line in table.lead] == ["small: Use finetune", "large: Use ptv2"]
    assert table.header[0] == "model"
    assert [row[:2] for row in (*table.rows, *table.footer)] == [
        ("small", "finetune"), ("large", "ptv2"), ("small", "ptv2"), ("large", "finetune"),
    ]  # fmt: skip


def test_costs_are_those_alone_or_marked(measured: Any, cell: Any) -> None:
    """ptv2 shared its loop: what it takes alone was measured for one cell of the line, whatever the seed."""
    scores = {"finetune": [80.0, 80.1, 80.2], "ptv2": [79.8, 79.9, 80.0]}
    made = measured(scores, lanes=8)
    (ptv2, _) = table_of(made).rows
    assert ptv2[4:7] == ("983k", "≤ 1.07 GB", "≈ 60 s")
    keep_alone(made.path, Alone(
        key=alone_key(cell(seed=2)), device="here", steps=9, num_steps=90, train_seconds=20.0, evaluate_seconds=2.5,
        peak_bytes=5 * 10**8, measured="2026-01-01T00:00:00+00:00",
    ))  # fmt: skip
    ptv2, finetune = table_of(made).rows
    assert (ptv2[5:7], finetune[5:7]) == (("500 MB", "22 s"), ("1.07 GB", "60 s"))


def test_what_trained_beside_other_workers_on_its_gpu_was_not_measured_alone(measured: Any) -> None:
    table = table_of(measured({"finetune": [80.0, 80.1, 80.2], "ptv2": [79.8, 79.9, 80.0]}, workers=2))
    assert [row[5:7] for row in table.rows] == [("≤ 1.07 GB", "≈ 60 s")] * 2
    assert any("a GPU with other workers" in note for note in table.notes)


def test_the_csv_has_every_line_and_what_it_was_told_by(measured: Any) -> None:
    made = measured({"finetune": [79.0, 80.0, 81.0], "ptv2": [78.2, 79.2, 80.2]}, lanes=2)
    paths = {path.name: path for path in write_report([made.path], {"md", "csv", "tex"}, AVERAGE)}
    rows = list(csv.DictReader(paths["recommendation-superglue.csv"].open()))
    assert [(row["task"], row["label"], row["standing"], row["alone"]) for row in rows] == [
        ("average", "finetune", "best", "measured"), ("average", "ptv2", "undecided", "predicted"),
    ]  # fmt: skip
    assert rows[1]["stored_bytes"] == "3932160"
    assert float(rows[1]["below"]) > 0.8
    assert float(rows[1]["seeds_needed"]) > 3
    assert paths["recommendation-superglue.md"].read_text().splitlines()[2].startswith("Undecided within 1 point")
    assert r"$\approx$" in paths["recommendation-superglue.tex"].read_text()


def test_collapsed_runs_are_named_since_scores_are_without_them(cell: Any, predicted: Any, store: Any) -> None:
    wrong = {"finetune": [40, 41, 42, 43, 44], "ptv2": [4, 5, 6, 7, 190]}
    made = store(
        predicted(cell(method=method, seed=seed), set(range(0, count * 2, 2)) if count < 190 else range(190), 400)
        for method, counts in wrong.items()
        for seed, count in enumerate(counts)
    )
    table = table_of(made)
    (lead,) = table.lead
    assert lead.endswith("1 of its 5 runs collapsed: train more than one.")
    assert [note for note in table.notes if "collapsed" in note] == [
        "Scores are of runs that trained; collapsed ones are left out: ptv2, 1 of 5 runs."
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(520, "520 B"), (10760, "10.8 kB"), (999_950, "1 MB"), (2**31, "2.15 GB"), (math.nan, "?")]
)
def test_sizes_read_in_three_figures(value: float, text: str) -> None:
    assert bytes_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.042, "0.042 s"), (4.21, "4.2 s"), (99.4, "99 s"), (250, "250 s"), (720, "12 min"),
                        (12240, "3.4 h"), (math.nan, "?")]
)  # fmt: skip
def test_times_read_as_one_would_say_them(value: float, text: str) -> None:
    assert seconds_text(value) == text


def test_what_is_not_known_to_be_cheap_comes_last() -> None:
    costs = {"b": LineCosts(10, 5), "a": LineCosts(10, 5), "c": LineCosts(10, 4), "d": LineCosts()}
    assert sorted(costs, key=lambda label: costs[label].order(label)) == ["c", "a", "b", "d"]
