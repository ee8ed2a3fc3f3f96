"""What stands in results/figure-one/ is whole, and its reports come out of it with nothing else at hand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from bench.plan.budgets import BUDGET, budgets
from bench.plan.lines import lines
from bench.registry import find_suite, find_tasks, load_plugin
from bench.report.files import collect, texts
from bench.report.tables.costs import PARTS
from bench.report.tables.report import Report
from bench.request import RunRequest
from bench.store.fetched import open_results

PLACE = Path(__file__).parents[2] / "results" / "figure-one"
REFERENCES = {  # of each archive beside its report
    PLACE: None,
    PLACE / "depth": "ptv2 (layers=1-8, length=20)",
    PLACE / "length": "ptv2 (length=16, reparam=none)",
    PLACE / "head": "ptv2 (head=linear, length=20)",
}
# what was run on several days says so; of PEFT, which makes LoRA's layers, a machine had another patch release
SAID = ("git commit differs", "version of peft differs")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNING_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("place", REFERENCES, ids=lambda place: place.name)
def test_every_cell_is_there_and_whole(place: Path) -> None:
    store = open_results(place / "results.tar.xz")
    store.verify()
    assert store.broken() == {}
    records = store.records()
    assert records
    assert {record.id for record in records if record.status == "done"} == {cell.id for cell in store.planned()}
    assert all(record.cell.precision == "bf16" and record.provenance["device"] for record in records)
    weights = {(record.cell.model, record.cell.model_fingerprint) for record in records}
    assert len(weights) == len({model for model, _ in weights})  # scores of two sets of weights are not pooled


def test_the_page_says_how_many_cells_there_are() -> None:
    stages = Counter(record.cell.stage for record in open_results(PLACE / "results.tar.xz").records())
    said = f"{stages['trial']} trials and {stages['score']} scored cells"
    assert (PLACE / "README.md").read_text(encoding="utf-8").count(said) == 2


@pytest.fixture(scope="module", params=REFERENCES, ids=lambda place: place.name)
def place(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture(scope="module")
def report(place: Path) -> Report:
    return collect([place / "results.tar.xz"], reference=REFERENCES[place])


def test_every_score_comes_out_of_what_was_counted_and_every_method_is_judged(report: Report) -> None:
    assert [text for text in report.warnings if not text.startswith(SAID)] == []
    (scores,), (verdicts,) = report.tables, report.verdict_tables
    assert {row[0] for row in verdicts.rows} == {row[0] for row in scores.rows} - {"any"}


def test_the_parts_of_a_cells_time_are_no_longer_than_the_whole(report: Report) -> None:
    cells = report.frame[report.frame["status"] == "done"].drop_duplicates("id")
    whole = cells[list(PARTS)].sum(axis=1)
    assert (whole <= cells["seconds"] * 1.001).all()
    assert (whole / cells["seconds"]).median() > 0.9


@pytest.mark.parametrize("name", ["recommendation", "table", "verdicts", "chosen"])
def test_the_tables_beside_it_say_what_the_archive_says(report: Report, place: Path, name: str) -> None:
    """Numbers but for their last digits, words to the letter."""
    (text,) = [text for written, text in texts(report, ["csv"]).items() if written.startswith(name)]
    made, kept = (pd.read_csv(source) for source in (StringIO(text), place / "report" / f"{name}-figure-one.csv"))
    pd.testing.assert_frame_equal(made, kept, rtol=1e-4, atol=1e-4)


def test_every_cell_and_metric_has_its_row_in_the_tidy_table(report: Report, place: Path) -> None:
    kept = pd.read_csv(place / "report" / "cells.csv")
    assert scores_of(kept) == pytest.approx(scores_of(report.frame), nan_ok=True)


def scores_of(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    """By cell and metric."""
    return dict(zip(zip(frame["id"], frame["metric"], strict=True), frame["score"], strict=True))


def test_all_of_it_together_is_small_enough_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in PLACE.rglob("*") if path.is_file()) < 5_000_000


def test_no_file_beside_it_says_where_it_was_made() -> None:
    for path in PLACE.glob("**/report/*"):
        assert not re.search(r"/(tmp|home|root|work|Users)/", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize(
    ("name", "num_lines", "num_budgets"),
    [("grid", 5, 1), ("ablation-length", 10, 1), ("ablation-depth", 7, 1), ("ablation-head", 2, 1),
     ("ablation-steps", 2, 3)],
)  # fmt: skip
def test_each_grid_file_asks_for_lines_that_have_an_equal_search(name: str, num_lines: int, num_budgets: int) -> None:
    request = RunRequest.read({}, PLACE / f"{name}.toml")
    for path in request.plugin:
        load_plugin(PLACE.parents[1] / path)
    suite = find_suite(request.suite)
    planned = lines(suite, request.methods or suite.methods, request.set, request.sweep, request.trials)
    assert len(planned) == num_lines
    assert {line.num_settings for line in planned} == {line.trials for line in planned} == {4}
    assert len(budgets(suite, request.budget, request.sweep.get(BUDGET, {}))) == num_budgets
    assert {task.name for task in find_tasks(suite, request.tasks)} <= set(suite.average)
