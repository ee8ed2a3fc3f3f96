"""Seeds taken apart: each stream's spread is its own, and what is missing is said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bench.report.read.frame import frame, scored, varied
from bench.report.read.outcomes import outcomes
from bench.report.statistics.variance import shares
from bench.report.tables.formats import comma_separated
from bench.report.tables.variance import variance_table

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


def test_the_table_shows_spread_and_share(apart: Any) -> None:
    found = outcomes([apart])
    printed = variance_table(shares(varied(found), scored(found)), "superglue")
    assert printed is not None
    assert printed.header == ("model", "method", "task", "init sd", "order sd", "together sd", "seeds")
    assert printed.rows == (("small", "ptv2", "rte accuracy", "2.65 (82 %)", "1.26 (18 %)", "4.58", "3"),)


def test_without_two_finished_seeds_there_is_neither_spread_nor_share(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 60.0), record(cell(streams={"init": 1}), 62.0)], planned=[cell(streams={"order": 1})])
    found = outcomes([made])
    table = shares(varied(found), scored(found)).set_index("stream")
    assert table.loc["init", "sd"] == pytest.approx(math.sqrt(2))
    assert (table.loc["order", "n"], math.isnan(table.loc["order", "sd"])) == (1, True)
    assert table["share"].isna().all()
    printed = variance_table(table.reset_index(), "superglue")
    assert printed is not None
    assert printed.rows == (("small", "ptv2", "rte accuracy", "1.41", "missing", "missing", "1–2"),)


def test_where_nothing_was_varied_there_is_no_table(cell: Any, record: Any, store: Any) -> None:
    found = outcomes([store([record(cell(), 60.0)])])
    assert variance_table(shares(varied(found), scored(found)), "superglue") is None


def test_equal_scores_have_no_shares(cell: Any, record: Any, store: Any) -> None:
    found = outcomes([store([record(cell(), 60.0), record(cell(streams={"init": 1}), 60.0)])])
    table = shares(varied(found), scored(found)).set_index("stream")
    assert table.loc["init", "sd"] == 0
    assert math.isnan(table.loc["init", "share"])


def test_the_csv_has_the_shares_of_every_metric(apart: Any) -> None:
    found = outcomes([apart])
    printed = variance_table(shares(varied(found), scored(found)), "superglue")
    assert printed is not None
    assert comma_separated(printed).splitlines()[1:] == [
        "superglue,rte,small,ptv2,accuracy,ptv2,True,init,3,2.64575,0.815534",
        "superglue,rte,small,ptv2,accuracy,ptv2,True,order,3,1.25831,0.184466",
        "superglue,rte,small,ptv2,accuracy,ptv2,True,together,3,4.58258,",
    ]
