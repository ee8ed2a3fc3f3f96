"""The tidy frame: what is planned is there, and no two different measurements share a line."""

from __future__ import annotations

import math
from typing import Any

from bench.cell import Budget
from bench.report.read.frame import FRAME_COLUMNS, frame


def test_a_finished_cell_has_a_row_per_metric(cell: Any, record: Any, store: Any) -> None:
    rows = frame([store([record(cell("cb"), 80.0, macro_f1=60.0)])])
    assert tuple(rows.columns) == FRAME_COLUMNS
    assert dict(zip(rows["metric"], rows["score"], strict=True)) == {"accuracy": 80.0, "macro_f1": 60.0}
    assert dict(zip(rows["metric"], rows["main"], strict=True)) == {"accuracy": True, "macro_f1": False}
    first = rows.iloc[0]
    assert (first["head"], first["protocol"], first["budget"]) == (
        "linear", "holdout", "10 epochs × batch 32"
    )  # fmt: skip
    assert (first["stored_parameters"], first["backbone_parameters"]) == (983_040, 20_000_000)
    assert (first["train_seconds"], first["tokens_per_second"], first["steps"]) == (60.0, 1000.0, 780)


def test_cells_without_a_score_are_rows_with_their_reason(cell: Any, record: Any, store: Any) -> None:
    cells = [cell(seed=seed) for seed in range(4)]
    records = [
        record(cells[0], 60.0),
        record(cells[1], status="failed", reason="out of memory"),
        record(cells[2], status="diverged", reason="loss was NaN at step 3"),
    ]
    rows = frame([store(records, planned=cells)])
    assert list(rows["status"]) == ["done", "failed", "diverged", "missing"]
    assert list(rows["reason"]) == ["", "out of memory", "loss was NaN at step 3", ""]
    assert [math.isnan(score) for score in rows["score"]] == [False, True, True, True]
    assert set(rows["metric"]) == {"accuracy"}
    assert set(rows["backbone_parameters"]) == {20_000_000}  # known from the cell that is done


def test_a_failed_record_s_scores_do_not_count(cell: Any, record: Any, store: Any) -> None:
    rows = frame([store([record(cell(), 99.0, status="diverged")])])
    assert math.isnan(rows["score"][0])


def test_of_two_folders_the_finished_record_counts(cell: Any, record: Any, store: Any) -> None:
    failed = store([record(cell(), status="failed", reason="out of memory")], name="a")
    done = store([record(cell(), 70.0)], name="b")
    for stores in ([failed, done], [done, failed]):
        rows = frame(stores)
        assert list(rows["status"]) == ["done"]
        assert list(rows["results"]) == [str(done.path)]


def test_a_record_counts_for_every_suite_that_planned_its_cell(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 70.0)], planned=[cell(suite="other")])
    assert dict(zip((rows := frame([made]))["suite"], rows["score"], strict=True)) == {"superglue": 70.0, "other": 70.0}


def test_different_budgets_are_different_lines(cell: Any, record: Any, store: Any) -> None:
    long = cell(budget=Budget(epochs=100))
    rows = frame([store([record(cell(), 60.0), record(long, 80.0)])])
    assert set(rows["label"]) == {
        "ptv2 [10 epochs × batch 32]", "ptv2 [100 epochs × batch 32]"
    }  # fmt: skip


def test_different_protocols_are_different_lines_even_for_other_seeds(cell: Any, record: Any, store: Any) -> None:
    rows = frame([store([record(cell(seed=0), 60.0), record(cell(seed=1, protocol="paper"), 80.0)])])
    assert set(rows["label"]) == {"ptv2 [protocol holdout]", "ptv2 [protocol paper]"}


def test_settings_that_changed_unsaid_are_different_lines(cell: Any, record: Any, store: Any) -> None:
    changed = cell(seed=1, settings={"length": 64, "head": "linear"})
    rows = frame([store([record(cell(), 60.0), record(changed, 80.0)])])
    assert set(rows["label"]) == {"ptv2 [length=20]", "ptv2 [length=64]"}


def test_given_settings_name_the_line_once(cell: Any, record: Any, store: Any) -> None:
    given = cell(seed=1, given={"length": 20})  # the default, said aloud
    rows = frame([store([record(cell(), 60.0), record(given, 80.0)])])
    assert set(rows["label"]) == {"ptv2 (length=20)"}


def test_seeds_tasks_and_models_share_a_line(cell: Any, record: Any, store: Any) -> None:
    cells = [cell(), cell(seed=1), cell("cb"), cell(model="large")]
    rows = frame([store(record(one, 60.0) for one in cells)])
    assert set(rows["label"]) == {"ptv2"}


def test_a_row_holds_all_settings_those_given_and_the_backbone_s_layers(cell: Any, record: Any, store: Any) -> None:
    deep = record(cell(given={"length": 20}), 60.0).model_copy(update={"provenance": {"layers": 24}})
    rows = frame([store([deep], planned=[cell(seed=1)])])
    assert list(rows["settings"]) == [{"length": 20, "head": "linear"}] * 2
    assert list(rows["given"]) == [{"length": 20}, {}]
    assert list(rows["backbone_layers"]) == [24.0, 24.0]  # of the missing cell known from the other


def test_two_models_of_one_name_are_two_models(cell: Any, record: Any, store: Any) -> None:
    a, b = "a" * 16, "b" * 16
    first = store([record(cell("rte", "org/m", seed=0, model_fingerprint=a), 60.0)], name="first")
    other = store(
        [
            record(cell("cb", "org/m", seed=0, model_fingerprint=b), 70.0),
            record(cell("cb", "org/n", seed=0), 50.0),
            record(cell("rte", "org/m", seed=1, model_fingerprint=a), 62.0),
        ],
        name="other",
    )
    table = frame([first, other])
    names = {(row.model, row.task, row.seed, row.score) for row in table.itertuples()}
    assert names == {
        ("org/m [weights aaaaaaaa]", "rte", 0, 60.0),
        ("org/m [weights bbbbbbbb]", "cb", 0, 70.0),
        ("org/n", "cb", 0, 50.0),
        ("org/m [weights aaaaaaaa]", "rte", 1, 62.0),
    }
    assert set(table["label"]) == {"ptv2"}
    alike = frame(
        [store([record(cell("rte", "m", model_fingerprint=f"c0ffee00{end}"), 1.0)], name=f"c{end}") for end in "12"]
    )
    assert set(alike["model"]) == {"m [weights c0ffee001]", "m [weights c0ffee002]"}
