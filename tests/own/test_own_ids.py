"""A cell's id covers a user's declaration and rows, and nothing of where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.data.places import fingerprint
from bench.registry import find_suite
from tests.own.mails import mails, own, write

ROWS = [{**row, "who": f"c{at}", "no": at} for at, row in enumerate(mails())]
COLUMNS = {"text": "body", "label": "team"}


def of(data: Path, **asked: Any) -> str:
    found = own(data, **{**COLUMNS, **asked})
    (task,) = found.suite.tasks
    return fingerprint(task, found.folder, task.splits("holdout"))


def test_the_same_rows_and_declaration_elsewhere_are_the_same_data(tmp_path: Path) -> None:
    first, second = (write(tmp_path / folder / "m.csv", ROWS) for folder in ("a", "b"))
    assert of(first) == of(second) == of(first, id="no")


@pytest.mark.parametrize("asked", [{"text": "who"}, {"text": "body,who"}, {"label": "desk"}, {"group": "who"}])
def test_another_declaration_is_other_data(tmp_path: Path, asked: dict[str, Any]) -> None:
    data = write(tmp_path / "m.csv", [{**row, "desk": row["team"]} for row in ROWS])
    assert of(data, **asked) != of(data)


def test_other_rows_are_other_data(tmp_path: Path) -> None:
    data = write(tmp_path / "m.csv", ROWS)
    before = of(data)
    write(data, [*ROWS, {**ROWS[0], "body": "one more"}])
    assert of(data) != before


def test_a_name_that_a_suite_has_is_not_taken(tmp_path: Path) -> None:
    found = own(write(tmp_path / "glue.csv", mails()))
    assert (found.suite.name, found.suite.tasks[0].name) == ("glue-data", "glue")
    assert [task.name for task in find_suite("glue").tasks] != ["glue"]


def test_what_runs_where_nobody_names_methods_begins_with_the_reference(tmp_path: Path) -> None:
    methods = own(write(tmp_path / "m.csv", mails())).suite.methods
    assert methods[0] == "finetune"
    assert {"ptv2", "linear_probe"} <= set(methods)
