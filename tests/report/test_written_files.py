"""The report as a whole: its files, its errors, and that it stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bench.cell import Budget, Cell
from bench.errors import UsageError
from bench.report.files import collect
from bench.store.alone import Alone
from bench.store.record import Costs, Counts, CurvePoint, Parameters, Record
from tests.report.conftest import write_report


def test_files_go_beside_the_first_folder_unless_told_otherwise(
    cell: Any, record: Any, store: Any, tmp_path: Path
) -> None:
    made = store([record(cell(), 60.0)])
    names = ["recommendation-superglue.md", "table-superglue.md"]
    assert write_report([made.path], {"md"}, {}) == [made.path / "report" / name for name in names]
    assert write_report([made.path], {"md"}, {}, to=tmp_path / "x" / "y") == [tmp_path / "x/y" / name for name in names]


def test_each_suite_has_its_table(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 60.0), record(cell("ner", suite="tagging"), 60.0)])
    names = [path.name for path in write_report([made.path], {"md"}, {})]
    tables = ("recommendation", "table")
    assert names == [f"{table}-{suite}.md" for table in tables for suite in ("superglue", "tagging")]


def test_a_suite_without_a_named_average_averages_all_its_tasks(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell("a"), 60.0), record(cell("b"), 70.0)])
    assert collect([made.path], {}).averaged == {"superglue": ("a", "b")}


def test_folders_are_merged(cell: Any, record: Any, store: Any) -> None:
    first = store([record(cell(seed=0), 60.0)], name="a")
    second = store([record(cell(seed=1), 62.0)], name="b")
    (row,) = collect([first.path, second.path], {}).summary.to_dict("records")
    assert (row["mean"], row["n"]) == (61.0, 2)


def test_a_folder_that_is_no_results_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a results folder"):
        write_report([tmp_path], {"md"}, {})


def test_a_place_that_cannot_be_written_to_is_a_usage_error(cell: Any, record: Any, store: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = store([record(cell(), 60.0)])
    with pytest.raises(UsageError, match="cannot write the report"):
        write_report([made.path], {"md"}, {}, to=tmp_path / "file")


def test_a_report_loads_no_deep_learning_library(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 60.0)])
    code = (
        "import sys; from pathlib import Path; from bench.report.files import IMAGES, PAGE, TEXTS, collect, write\n"
        "import bench.report.tables.console\n"
        "report = collect([Path(sys.argv[1])], {})\n"
        "write(report, TEXTS)\n"
        "assert 'matplotlib' not in sys.modules\n"
        "write(report, (*TEXTS, *IMAGES, PAGE), True)\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules), sorted(sys.modules)\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(made.path)], check=True, timeout=120)


@pytest.mark.parametrize("kind", [Record, Cell, Budget, CurvePoint, Counts, Parameters, Costs, Alone])
def test_every_field_of_a_record_has_a_line_in_the_readme(kind: type[BaseModel]) -> None:
    text = (Path(__file__).parents[2] / "results" / "README.md").read_text()
    assert {name for name in kind.model_fields if f"\n| `{name}` |" not in text} == set()
