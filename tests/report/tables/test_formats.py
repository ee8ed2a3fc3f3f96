"""One table in every format: what a format would take for a mark is escaped, and each part has its place."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from bench.escaping.latex import LETTERS
from bench.report.tables.console import print_table
from bench.report.tables.formats import NO_PROBLEMS, comma_separated, latex, markdown
from bench.report.tables.table import Table

TABLE = Table(
    "chosen-x", "Chosen settings", ("method", "score"), (("a|b_c", "1 %"),), ("A note.",), num_words=1, heading_level=2
)


def test_a_table_escapes_what_its_format_would_take_for_a_mark() -> None:
    assert markdown(TABLE) == (
        "## Chosen settings\n\n| method | score |\n| :--- | ---: |\n| a\\|b_c | 1 % |\n\nA note.\n"
    )
    assert rf"a{LETTERS['|']}b\_c & 1 \% \\" in latex(TABLE)
    assert r"\begin{tabular}{lr}" in latex(TABLE)
    assert r"\caption{Chosen settings. A note.}" in latex(TABLE)
    assert comma_separated(TABLE) == "method,score\na|b_c,1 %\n"


SCORES = Table(
    "table-x", "Suite x", ("model", "rte"), (("small", "60.0"),), ("A note.",), footer=(("any", "50.0"),), num_words=1
)


def test_a_footer_is_set_off_in_latex_and_the_last_row_elsewhere() -> None:
    assert r"small & 60.0 \\" + "\n\\midrule\n" + r"any & 50.0 \\" in latex(SCORES)
    assert markdown(SCORES).splitlines()[-3:] == ["| any | 50.0 |", "", "A note."]
    assert comma_separated(SCORES) == "model,rte\nsmall,60.0\nany,50.0\n"


@pytest.mark.parametrize(
    ("problems", "last"),
    [
        (None, ["A note."]),
        ((), ["A note.", "", NO_PROBLEMS]),
        (("cb: failed",), ["Without a score (1):", "", "- cb: failed"]),
    ],
)
def test_only_a_table_that_answers_for_its_cells_says_that_all_are_finished(
    problems: tuple[str, ...] | None, last: list[str]
) -> None:
    table = replace(SCORES, problems=problems)
    assert markdown(table).splitlines()[-len(last) :] == last
    shown = StringIO()
    print_table(table, Console(file=shown, width=100, force_terminal=True, color_system=None))
    assert (NO_PROBLEMS in shown.getvalue()) == (problems == ())


def test_the_numbers_behind_a_table_go_into_its_csv_before_its_text() -> None:
    numbers = pd.DataFrame({"task": ["rte"], "mean": [60.12345678]})
    assert comma_separated(replace(SCORES, numbers=numbers)) == "task,mean\nrte,60.1235\n"
