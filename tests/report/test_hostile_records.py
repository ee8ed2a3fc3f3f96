"""Whatever a stranger's record says, in whichever of its fields, stays text wherever it is shown."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from bench import load
from bench.cell import Cell
from bench.errors import UsageError
from bench.store.reading import read_record
from bench.store.record import CurvePoint, Record
from bench.store.store import Store
from tests.conftest import Bench
from tests.report.conftest import make_cell, make_record
from tests.report.page.test_page import Reader, data_of
from tests.store.edited import edited

TEXT = (
    "=1+1</script><img src=x onerror=alert(1)>\u2028\x1b[31m\n# [a](http://evil.example)|`$\\input{x}&{{ 7*7 }}\u202e"
)
NAME = "=1+1<img src=x onerror=alert(1)> [a](x)|`$&{{ 7*7 }}"  # which a file may have
FIXED = {  # texts of which there are a few
    "status", "id", "main_metric", "cell.budget.optimizer", "cell.stage", "cell.protocol", "cell.precision",
    "cell.compile", "cell.method",
}  # fmt: skip
Place = tuple[str | int, ...]


def full_record() -> Record:
    """A record with something in every field."""
    cell = make_cell(seed=7).model_dump(mode="json")
    texts = {"given": {"length": "9", "words": "x"}, "drawn": {"length": "9"}, "model_path": "x", "data_path": "x",
             "data_revision": "x"}  # fmt: skip
    cell["settings"] |= {"words": ["x", {"y": "x"}]}
    made = make_record(Cell.model_validate(cell | texts), 50.0)
    provenance = {"command": ["bench", "run"], "packages": {"torch": "2"}, "device": "cpu", "python": "3", "x": ["y"],
                  "platform": "Linux", "git_commit": "c", "layers": 2}  # fmt: skip
    curve = [CurvePoint(step=n, epoch=n, train_loss=1.0, scores={"accuracy": 1.0}) for n in (1, 2)]
    return made.model_copy(
        update={"provenance": provenance, "found": {"trigger": ["x"]}, "curve": curve, "reason": "x",
                "traceback": "x", "started": "x", "finished": "x", "files": {"x": "y"}}
    )  # fmt: skip


def places(tree: Any, *kinds: type, at: Place = ()) -> Iterator[Place]:
    """Where values of these types stand in JSON: `bool` is none of `int`."""
    if type(tree) in kinds:
        yield at
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(value, *kinds, at=(*at, key))


def changed(tree: Any, place: Place, value: Any) -> Any:
    tree = deepcopy(tree)
    inner = tree
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return tree


def put(folder: Path, tree: Any) -> str | None:
    """Write a record as a stranger may; its id, or None where it is refused."""
    try:
        cell_id = Cell.model_validate(tree["cell"]).id
    except ValueError:
        return None
    path = folder / "cells" / cell_id / "record.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(edited(json.dumps(tree), id=cell_id))
    try:
        read_record(path, cell_id)
    except UsageError:
        path.unlink()
        return None
    return cell_id


def spoilt(tmp_path: Path) -> tuple[Any, set[str]]:
    """A record in which every text is hostile that may be, and where others stand."""
    tree, fixed = full_record().model_dump(mode="json"), set()
    for place in list(places(tree, str)):
        for text in (TEXT, NAME):
            if put(tmp_path, made := changed(tree, place, text)) is not None:
                tree = made
                break
        else:
            fixed.add(".".join(map(str, place)))
    return tree, fixed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two honest lines, and the strangest record beside them: finished, and failed."""
    tree, fixed = spoilt(tmp_path / "tried")
    assert fixed <= FIXED
    store = Store.create(tmp_path / "results")
    for seed in (0, 1):
        for method in ("ptv2", "finetune"):
            store.write(make_record(make_cell(seed=seed, method=method), 60.0 + seed))
    tree["cell"] |= {"suite": NAME, "task": NAME}
    for name in ("scores", "trivial"):
        tree[name] |= {NAME: 50.0}
    tree["found"] |= {TEXT: TEXT}
    tree["provenance"] |= {TEXT: TEXT, "packages": {TEXT: TEXT}}
    assert put(store.path, tree) is not None
    failed = changed(tree, ("status",), "failed")
    failed["cell"]["seed"] = 8
    cell_id = Cell.model_validate(failed["cell"]).id
    (store.path / "failed").mkdir()
    (store.path / "failed" / f"{cell_id}.json").write_text(edited(json.dumps(failed), id=cell_id))
    return store.path


def test_files_of_a_report_take_nothing_of_it_for_markup(bench: Bench, folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "report"
    code, out, err = bench("report", folder, "--to", to, "--format", "md,csv,tex,html")
    assert (code, "left out" in err) == (0, False)
    assert [mark for mark in "\x1b\u2028\u202e" if mark in out + err] == []
    page = (to / "report.html").read_text()
    read = Reader(page)
    assert len(read.all("script")) == 2
    assert {tag for tag, _ in read.elements} & {"img", "iframe", "object", "embed", "base"} == set()
    assert [names for _, names in read.elements if any(name.startswith("on") for name in names)] == []
    assert [mark for mark in "\x1b\u2028\u202e" if mark in page] == []
    assert json.dumps(data_of(page), ensure_ascii=False).count("alert(1)") > 20
    for path in to.glob("*.md"):
        html = Reader(MarkdownIt("commonmark", {"html": True}).enable("table").render(path.read_text()))
        assert {tag for tag, _ in html.elements} & {"img", "script", "a"} == set(), path
    for path in to.glob("*.csv"):
        cells = [cell for row in csv.reader(path.open(newline="")) for cell in row]
        assert [cell for cell in cells if cell.startswith(("=", "@"))] == [], path
    assert [path for path in to.glob("*.tex") if r"\input{" in path.read_text()] == []


def test_commands_show_it_as_text(bench: Bench, folder: Path) -> None:
    ids = [path.parent.name for path in folder.glob("cells/*/record.json")]
    ids += [path.stem for path in folder.glob("failed/*.json")]
    for words in (("status", folder), ("check", folder), *(("show", cell_id, "--in", folder) for cell_id in ids)):
        code, out, err = bench(*words)
        assert code in (0, 1), err
        assert [mark for mark in "\x1b\u2028\u202e" if mark in out + err] == []


def test_a_notebook_shows_it_as_text(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning says in what cells are not alike
        html = Reader(load(folder)._repr_html_())
    assert {tag for tag, _ in html.elements} & {"img", "script", "a", "iframe"} == set()
    assert any("alert(1)" in text for text in html.text)
