"""The page of a repository: what bench wrote is written anew, what somebody else wrote stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.report.files import report_of
from bench.report.read.folders import read_stores
from bench.report.tables.report import Report
from bench.share.card import BEGIN, END, card
from bench.share.union import Union
from bench.store.address import Address
from bench.store.store import Store
from tests.report.conftest import make_cell, make_predicted

ADDRESS = Address("us/our-results")


@pytest.fixture
def union(tmp_path: Path) -> Union:
    store = Store(Store.create(tmp_path / "joined").path, name=str(ADDRESS))
    cells = [make_cell(method=method, seed=seed) for method in ("finetune", "ptv2") for seed in (0, 1)]
    store.write_plan(cells)
    for number, cell in enumerate(cells):
        store.write(make_predicted(cell, number + 2)[0])
    return Union(store, None)


@pytest.fixture
def report(union: Union) -> Report:
    return report_of(read_stores([union.store], []))


def test_it_has_verdicts_scores_and_how_to_read_them_and_no_licence(union: Union, report: Report) -> None:
    text = card(ADDRESS, report, union, ["scale-superglue.png", "scale-superglue-tasks.png"])
    matter, body = text.removeprefix("---\n").split("\n---\n")
    assert "licen" not in matter
    assert "library_name: tuning-bench" in matter
    assert "data_files: table.csv" in matter
    assert body.index("## Suite superglue: against finetune") < body.index("## Suite superglue\n")
    assert "bench report hub:us/our-results\n" in body
    assert "4 of 4 cells are finished" in body
    assert "![score against size, superglue](report/scale-superglue.png)" in body
    assert "scale-superglue-tasks" not in body
    assert "\n# " in body
    assert body.count("\n# ") == 1  # tables stand below it


def test_what_somebody_wrote_stays_and_ours_is_written_anew(union: Union, report: Report) -> None:
    first = card(ADDRESS, report, union, [])
    theirs = first.replace("---\n\n", "---\n\nOur own words.\n\n", 1).replace(END, f"{END}\n\nAnd some more.")
    theirs = theirs.replace("tags:\n", "license: cc-by-4.0\ntags:\n- ours\n").replace("4 of 4 cells", "3 of 4 cells")
    again = card(ADDRESS, report, union, [], theirs)
    assert again.count(BEGIN) == again.count(END) == 1
    assert "Our own words." in again
    assert "And some more." in again
    assert "3 of 4 cells" not in again
    assert "license: cc-by-4.0" in again
    assert "- ours\n- tuning-bench" in again
    assert card(ADDRESS, report, union, [], again) == again


def test_a_page_without_our_part_gets_it_at_its_end(union: Union, report: Report) -> None:
    text = card(ADDRESS, report, union, [], "# Ours\n\nWords.\n")
    assert text.index("Words.") < text.index(BEGIN)


def test_a_front_matter_that_is_none_is_not_thrown_away(union: Union, report: Report) -> None:
    with pytest.raises(UsageError, match=r"README.md of hub:us/our-results has a front matter that cannot be read"):
        card(ADDRESS, report, union, [], "---\ntags: [a\n---\n\nWords.\n")


def test_names_of_strangers_are_text_in_a_table(union: Union, tmp_path: Path) -> None:
    cell = make_cell(model="<script>alert(1)</script>|x")
    union.store.write(make_predicted(cell, 3)[0])
    text = card(ADDRESS, report_of(read_stores([union.store], [])), union, [])
    assert "<script>" not in text.replace("`<script>alert(1)</script>|x`", "")
