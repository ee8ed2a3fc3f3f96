"""The pieces of the page: what the claim says, how samples are taken and judged, what stands for a number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from bench.report.figures.style import CHOICE_MARKERS, MARKERS
from bench.report.files import collect
from bench.report.page.cells import short
from bench.report.page.claims import difference_text, verdict_text
from bench.report.page.drawing import MARKER_PATHS, forest
from bench.report.page.predictions import is_right, spaced
from bench.report.tables.report import Report
from tests.report.page.test_page import Reader, page_of, written


def comparison(report: Report, **changes: Any) -> dict[str, Any]:
    row = dict.fromkeys(report.comparisons.columns, float("nan"))
    row |= {
        "suite": "superglue", "task": "average", "metric": "main", "model": "small", "label": "ptv2", "method": "ptv2",
        "reference": "finetune", "difference": 0.2, "tested_low": -0.6, "tested_high": 0.9, "level": 0.99,
        "margin": 1.0, "verdict": "matches", "about": "runs that trained", "n_seeds": 6, "note": (),
        "runs": 6.0, "collapsed": 1.0, "collapse_bound": 0.582, "reference_runs": 6.0, "reference_collapsed": 0.0,
        "reference_collapse_bound": 0.393,
    }  # fmt: skip
    return row | changes


def test_the_claim_stands_on_top_with_its_verdicts(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(model=model, method=method), 60.0) for model in ("small", "medium", "large")
                  for method in ("ptv2", "finetune")])  # fmt: skip
    report = collect([made.path], {})
    rows = [
        comparison(report, model="large", verdict="undecided", tested_low=-3.0, tested_high=2.0),
        comparison(report, model="small"),
        comparison(report, model="medium", verdict="worse", difference=-4.0, tested_low=-6.0, tested_high=-2.0),
    ]
    report = replace(report, comparisons=pd.DataFrame(rows, columns=report.comparisons.columns), warnings=("Beware.",))
    page = written(report, made.path)
    text = " ".join(" ".join(Reader(page).text).split())
    claim = "matches finetune within ±1 at 1 of 3 sizes (small); worse at 1 (medium); undecided at 1 (large)."
    assert "<h1>Does ptv2 match finetune?</h1>" in page
    assert f"ptv2 {claim}" in text
    assert "1 of 6, ≤ 58 %; 0 of 6, ≤ 39 %" in text
    assert "by the runs that trained:" in text
    shown = '−4.0 <span class="interval">[−6.0, −2.0]</span>'
    places = [page.index(part) for part in ("<h1>", "1 warning", "(small); worse", shown, "<figure")]
    places += [page.index(f'id="{name}"') for name in ("scores", "lacking", "all-cells", "warnings", "provenance")]
    assert places == sorted(places)


@pytest.mark.parametrize("what", ["methods", "settings"])
def test_many_methods_are_asked_for_by_their_number_and_settings_of_one_too(
    what: str, cell: Any, record: Any, store: Any
) -> None:
    others = [("abcd"[at], {}) if what == "methods" else ("ptv2", {"length": at + 1}) for at in range(4)]
    records = [record(cell(method="finetune"), 60.0)]
    records += [record(cell(method=method, settings=given, given=given), 60.0) for method, given in others]
    assert f"<h1>Which of 4 {what} match finetune?</h1>" in page_of(store(records))


def test_without_a_comparison_the_page_says_why(cell: Any, record: Any, store: Any) -> None:
    page = page_of(store([record(cell(), 60.0)]))
    assert "<h1>Scores of superglue</h1>" in page
    assert "No verdict: there is nothing to compare" in page


@pytest.mark.parametrize(
    ("by_verdict", "text"),
    [
        ({"matches": ["a", "b"]}, "matches ref within ±1 at both sizes"),
        ({"worse": ["a", "b", "c"]}, "is worse than ref at all 3 sizes"),
        ({"matches": ["a"], "worse": ["b"]}, "matches ref within ±1 at 1 of 2 sizes (a); worse at 1 (b)"),
        ({"undecided": ["a"]}, "is undecided against ref with a"),
        ({"better": ["a"], "worse": ["b", "c", "d", "e"]}, "is better than ref at 1 of 5 sizes (a); worse at 4"),
    ],
)
def test_verdicts_in_words(by_verdict: dict[str, list[str]], text: str) -> None:
    assert verdict_text(by_verdict, "ref", "1") == text


def test_differences_in_words() -> None:
    nan = float("nan")
    assert difference_text(-0.44, -1.0, 2.0) == "−0.4 [−1.0, +2.0]"
    assert difference_text(0.4, nan, nan) == "+0.4"
    assert difference_text(nan, nan, nan) == "–"


def test_an_interval_beyond_the_drawing_ends_at_its_edge() -> None:
    drawn = forest(0.0, -50.0, 5.0, margin=1.0, reach=10.0)
    assert 'x1="4.0" x2="118.0"' in drawn
    assert "circle" in drawn
    nan = float("nan")
    assert "circle" not in forest(nan, nan, nan, 1.0, 10.0)


def test_every_marker_of_the_figures_has_a_glyph() -> None:
    assert {*MARKERS, *CHOICE_MARKERS} <= set(MARKER_PATHS)


# --- pieces


@pytest.mark.parametrize(
    ("label", "predicted", "kind", "right"),
    [
        (["yes"], ["yes"], "classification", True),
        (["yes"], ["no"], "classification", False),
        (["O", "B-x"], ["O", "B-x"], "tagging", True),
        (["O", "B-x"], ["O", "O"], "tagging", False),
        (["O"], ["O"], "tagging", True),
        (["first", "second"], ["second"], "choice", True),
        (["the Rhine"], ["Rhine."], "span", True),
        (["the Rhine"], [""], "span", False),
        ([], [""], "span", True),
        ([], ["Rhine"], "span", False),
    ],
)
def test_what_counts_as_right(label: list[str], predicted: list[str], kind: str, right: bool) -> None:
    assert is_right(label, predicted, kind) is right


def test_spaced_places_are_the_middles_of_equal_stretches() -> None:
    assert spaced(10, 2) == [2, 7]
    assert spaced(3, 10) == [0, 1, 2]
    assert spaced(0, 10) == []


def test_numbers_are_shortened_and_nothing_is_made_up() -> None:
    assert [short(value, 4) for value in (1234567, 0.123456, 1e6 + 0.5, float("nan"), float("inf"), None, True)] == [
        1234567, 0.1235, 1000000, None, None, None, True,
    ]  # fmt: skip
