"""A record of anybody's that is none is left out by name, and everything else is reported."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bench.cell import Cell
from bench.errors import UsageError
from bench.report.read.folders import read_folders
from bench.store.declarations import keep_suite, kept_suites
from bench.store.foreign import is_name
from bench.store.seal import sealed
from bench.store.store import Store
from bench.task import Suite
from tests.conftest import Bench
from tests.report.conftest import make_cell, make_record
from tests.store.edited import edited

LONG = "x" * 300
NO_NAMES = {
    "a path": "a/b", "another": "a\\b", "above": "..", "here": ".", "nothing": "", "long": LONG, "a line": "a\nb",
    "a bell": "a\x07", "turned": "a\u202eb", "a space": " a", "wide": "ü" * 51,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = Store.create(tmp_path / "results")
    for seed in (0, 1):
        store.write(make_record(make_cell(seed=seed), 60.0 + seed))
    return store.path


def put(folder: Path, of_cell: dict[str, Any] | None = None, under: str = "", **fields: Any) -> str:
    """Put a record into a results folder as a stranger would, sealed and under the id of its cell; returns its path."""
    cell = make_cell(seed=7).model_dump(mode="json") | (of_cell or {})
    cell_id = under or Cell.model_validate(cell).id
    text = edited(make_record(make_cell(seed=7), 50.0).model_dump_json(), **{"id": cell_id, "cell": cell} | fields)
    path = folder / "cells" / cell_id / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def left_out(folder: Path) -> str:
    """The one line about what is left out; the rest is read."""
    reading = read_folders([folder])
    assert sorted(outcome.record.scores["accuracy"] for outcome in reading.outcomes if outcome.record) == [60.0, 61.0]
    (line,) = reading.problems
    return line


def test_a_cell_that_a_plan_has_is_looked_at_in_a_record_that_says_another_thing_of_it(folder: Path) -> None:
    store, cell = Store.open(folder), make_cell(seed=7)
    store.write_plan([cell, make_cell(seed=0)])
    path = put(folder, {"trials": -1}, under=cell.id)
    broken: list[str] = []
    (planned, other), records = store.planned(), store.records(lambda error: broken.append(str(error)))
    assert planned == cell
    assert sum(record.cell is other for record in records) == 1  # a right one is not read anew
    (line,) = broken
    assert line.startswith(f"{path} is no record of ours")


def test_an_ordinary_record_is_taken(folder: Path) -> None:
    put(folder)
    reading = read_folders([folder])
    assert (len(reading.outcomes), reading.problems) == (3, ())


def test_an_id_that_is_not_the_hash_of_its_cell_is_left_out_by_name(folder: Path) -> None:
    cell_id, other = make_cell(seed=7).id, make_cell(seed=8).id
    path = put(folder, {"seed": 8}, under=cell_id)
    said = f"left out: {path} is no record of ours: it says that it is of cell {cell_id}, and its cell is {other}"
    assert left_out(folder) == said


@pytest.mark.parametrize("name", NO_NAMES.values(), ids=NO_NAMES)
@pytest.mark.parametrize("field", ["suite", "task", "method"])
def test_a_cell_with_a_name_that_no_file_can_have_is_left_out(field: str, name: str, folder: Path) -> None:
    path = put(folder, {field: name})
    said = left_out(folder)
    assert said.startswith(f"left out: {path} is no record of ours: ")
    assert said.endswith(f"is no name of a {field}")


@pytest.mark.parametrize("part", ["settings", "given", "drawn"])
def test_so_is_one_with_a_setting_of_such_a_name(part: str, folder: Path) -> None:
    path = put(folder, {part: {"../length": 3}})
    assert left_out(folder) == f"left out: {path} is no record of ours: '../length' is no name of a setting"


def test_so_is_one_whose_lines_name_is_a_page_long(folder: Path) -> None:
    put(folder, {"given": {"length": "9" * 3_000}})
    assert "its line's name" in left_out(folder)


def test_so_is_one_with_such_a_metric(folder: Path) -> None:
    put(folder, main_metric="a/b", scores={"a/b": 3.0})
    assert "'a/b' is no name of a metric" in left_out(folder)


INF, NAN = float("inf"), float("nan")
ODD: dict[str, tuple[dict[str, Any], str]] = {
    "infinite score": ({"scores": {"accuracy": INF}}, "scores.accuracy is inf"),
    "a text": ({"scores": {"accuracy": "nan"}}, "scores.accuracy is nan"),
    "no score": ({"scores": {"accuracy": NAN}}, "scores.accuracy is nan"),
    "score beyond measure": ({"scores": {"accuracy": 1e308}}, "scores.accuracy is 1e+308"),
    "trivial": ({"trivial": {"accuracy": -INF}}, "trivial.accuracy is -inf"),
    "selection": ({"selection_score": NAN}, "selection_score is nan"),
    "threshold": ({"null_threshold": INF}, "null_threshold is inf"),
    "rows": ({"counts": {"scored": -5}}, "counts.scored is '-5'"),
    "parameters": ({"parameters": {"stored": -1}}, "parameters.stored is '-1'"),
    "whole number beyond measure": ({"parameters": {"backbone": 10**400}}, "parameters.backbone is '1000"),
    "no exact number": ({"parameters": {"stored": 2**62}}, "parameters.stored is '4611686018427387904'"),
    "seconds": ({"costs": {"train_seconds": -3.0}}, "costs.train_seconds is '-3.0'"),
    "endless": ({"costs": {"seconds": INF}}, "costs.seconds is 'inf'"),
    "hardly any time": ({"costs": {"train_seconds": 1e-320}}, "costs.train_seconds is '1e-320'"),
    "lanes": ({"costs": {"lanes": -1}}, "costs.lanes is '-1'"),
    "step": ({"selected_step": -1}, "its steps are from '-1' to '-1'"),
    "step beyond measure": ({"selected_step": 10**400}, "its steps are from '1000"),
    "curve beyond measure": (
        {"curve": [{"step": 1, "epoch": 1.0, "train_loss": 0.1, "scores": {"accuracy": -1e308}}]},
        "its curve has no number at step 1",
    ),
    "curve": (
        {"curve": [{"step": 1, "epoch": NAN, "train_loss": 0.1, "scores": {}}]},
        "its curve has no number at step 1",
    ),
    "layers": ({"provenance": {"layers": "many"}}, "provenance.layers is 'many'"),
    "negative layers": ({"provenance": {"layers": -2}}, "provenance.layers is '-2'"),
    "tokens": ({"provenance": {"token_budget": [1]}}, "provenance.token_budget is '[1]'"),
    "packages": ({"provenance": {"packages": "torch"}}, "provenance.packages is 'torch'"),
}
OF_CELL: dict[str, dict[str, Any]] = {
    "seed": {"seed": 10**400},
    "trials": {"trials": -5},
    "setting": {"settings": {"length": 10**400}},
    "stream": {"streams": {"init": 10**400}},
}


@pytest.mark.parametrize(("fields", "what"), ODD.values(), ids=ODD)
def test_a_record_with_a_number_that_no_table_can_hold_is_left_out(
    fields: dict[str, Any], what: str, folder: Path
) -> None:
    path = put(folder, **fields)
    assert left_out(folder).startswith(f"left out: {path} is no record of ours: {what}")


@pytest.mark.parametrize("fields", OF_CELL.values(), ids=OF_CELL)
def test_so_is_a_cell_with_such_a_number(fields: dict[str, Any], folder: Path) -> None:
    path = put(folder, fields)
    assert left_out(folder).startswith(f"left out: {path} is no record of ours: cell.")


def test_a_plan_loses_the_cells_that_are_none_and_keeps_the_others(folder: Path) -> None:
    store = Store.open(folder)
    store.write_plan([make_cell(seed=3)])
    (path,) = folder.glob("plans/*.json")
    cells = json.loads(path.read_text())
    text = json.dumps([cells[0] | {"suite": "../x"}, *cells, 3])
    other = path.with_name(f"{sha256(text.encode()).hexdigest()[:16]}.json")
    path.unlink()
    other.write_text(text)
    broken: list[str] = []
    assert store.planned(lambda error: broken.append(str(error))) == [make_cell(seed=3)]
    assert [line.split(" (")[0] for line in broken] == [
        f"{other} is no record of ours: '../x' is no name of a suite",
        f"{other} does not fit this version's schema",
    ]


def test_a_cell_that_no_report_would_take_is_refused_before_it_is_measured(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "results")
    with pytest.raises(UsageError, match="a cell cannot be measured: 'a/b' is no name of a suite; choose a name"):
        store.write_plan([make_cell(suite="a/b")])
    assert list(store.path.glob("plans/*")) == []


def test_a_suite_of_such_a_name_is_not_read(folder: Path) -> None:
    kept = Suite(name="mine", tasks=())
    keep_suite(folder, kept)
    (path,) = folder.glob("suites/*.json")
    fields = kept.model_dump(mode="json")
    path.with_name("..%2Fx.json").write_text(sealed(json.dumps(fields | {"name": "../x"}, indent=1)))
    path.with_name("other.json").write_text(path.read_text())
    found, problems = kept_suites(folder)
    assert found == {"mine": kept}
    assert [str(problem).rpartition(": ")[2] for problem in problems] == [
        "'../x' is not what its file can be called by",
        "'mine' is not what its file can be called by",
    ]


@pytest.mark.parametrize("name", ["rte", "my-data_2.csv", "Größe", "数据", "a b", "c++", "x" * 100])
def test_ordinary_names_are_names(name: str) -> None:
    assert is_name(name)


def test_a_report_of_strange_records_writes_nothing_outside(bench: Bench, folder: Path) -> None:
    strange: list[dict[str, Any]] = [
        {"of_cell": {"suite": "../../outside"}},
        {"of_cell": {"suite": LONG}},
        {"of_cell": {"task": "../outside"}},
        {"scores": {"accuracy": NAN}},
    ]
    paths = []
    for seed, fields in enumerate(strange, 20):
        of_cell = {"seed": seed} | fields.pop("of_cell", {})
        paths.append(put(folder, of_cell, **fields))
    code, _, err = bench("report", folder, "--to", "report")
    assert code == 0
    assert [path for path in paths if f"left out: {path}" not in err] == []
    assert list(Path().rglob("*outside*")) == []
    assert Path("report/table-superglue.csv").exists()
