"""What stands in results/figure-one/ is whole, and a report can be made of it with nothing else at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.files import collect
from bench.store.fetched import open_results

ARCHIVE = Path(__file__).parents[2] / "results" / "figure-one" / "results.tar.xz"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path))


def test_every_cell_is_there_and_nothing_has_to_be_said() -> None:
    store = open_results(ARCHIVE)
    store.verify()
    assert store.broken() == {}
    asked = {cell.id for cell in store.planned()}
    assert asked
    assert {record.id for record in store.records() if record.status == "done"} == asked
    assert all(record.cell.precision == "bf16" and record.provenance["device"] for record in store.records())


def test_every_score_comes_out_of_what_was_counted_and_every_method_is_judged() -> None:
    report = collect([ARCHIVE])
    assert list(report.warnings) == []
    (scores,), (verdicts,) = report.tables, report.verdict_tables
    assert {row[0] for row in verdicts.rows} == {row[0] for row in scores.rows} - {"any"}
