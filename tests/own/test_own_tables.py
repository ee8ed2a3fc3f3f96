"""Tables of a notebook are files like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from bench.errors import UsageError
from bench.own.tables import keep_table
from tests.own.mails import TEAMS, mails, own


@pytest.fixture(autouse=True)
def _own_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("make", [pd.DataFrame, datasets.Dataset.from_list, list])
def test_a_table_is_kept_once_and_is_the_task_that_its_file_would_be(make: Any) -> None:
    first, second = (keep_table(make(mails()), "mails") for _ in range(2))
    assert first == second
    (task,) = own(first).suite.tasks
    assert (task.name, task.kind, task.classes) == ("mails", "classification", TEAMS)
    assert keep_table(make(mails(30)), "mails") != first


def test_tables_by_split_are_a_folder() -> None:
    splits = {"train": pd.DataFrame(mails()), "test": pd.DataFrame(mails(9, seed=1))}
    assert own(keep_table(splits, "mails")).lines[1].startswith("  train 60, scored on test 9: ")


@pytest.mark.parametrize("table", [3, [], [1], pd.DataFrame({"a": [1, "b", [2]]})])
def test_what_is_no_table_is_refused(table: Any) -> None:
    with pytest.raises(UsageError, match=r"^data: "):
        keep_table(table)
