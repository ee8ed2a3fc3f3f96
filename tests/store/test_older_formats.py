"""A results folder of format 3, as it was written then, is read by this version and gives the numbers printed then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.store.formats import FORMAT, OtherFormat, format_of, raise_mark
from bench.store.record import Record
from bench.store.store import Store
from tests.conftest import Bench
from tests.test_bad_results import tree

KEPT = Path(__file__).parent / "format3"
TINY = Path(__file__).parents[2] / "suites" / "smoke" / "models" / "tiny"
GRID = ("--text", "body", "--label", "team", "--models", "tiny", "--methods", "linear_probe,ptv2", "--set",
        "ptv2.length=1", "--trials", "2", "--steps", "60", "--batch-size", "8", "--max-length", "24", "--evaluations",
        "2", "--precision", "fp32", "--device", "cpu", "--out", "old",
)  # as it was asked for then  # fmt: skip


@pytest.fixture
def old(bench: Bench, tmp_path: Path) -> Path:
    shutil.copy(KEPT / "mails.csv", tmp_path)
    return Path(shutil.copytree(KEPT / "results", tmp_path / "old"))


def run(bench: Bench, *changes: object) -> tuple[int, str, str]:
    return bench("run", "--data", "mails.csv", *GRID, *changes)


def test_every_record_is_read_with_its_numbers(old: Path) -> None:
    records = Store.open(old).records()
    assert [(record.format, record.files) for record in records] == [(3, {})] * 10
    assert sorted((record.cell.task, record.cell.stage, record.status) for record in records) == [
        *[("mails", "score", "done")] * 4,
        *[("mails", "trial", "done")] * 4,
        ("sentiment", "score", "done"),
        ("sentiment", "score", "failed"),
    ]
    for record in records:
        place = "failed" if record.status == "failed" else f"cells/{record.id}"
        name = f"{record.id}.json" if record.status == "failed" else "record.json"
        raw = json.loads((old / place / name).read_text())
        assert Record.model_validate(raw) == record
        assert (raw["scores"], raw["id"]) == (record.scores, record.cell.id)


def test_a_report_has_the_numbers_that_were_printed_then(bench: Bench, old: Path, tmp_path: Path) -> None:
    to = tmp_path / "report"
    code, _, err = bench("report", old, "--reference", "linear_probe", "--format", "csv", "--to", to)
    assert (code, err) == (0, "")
    printed = sorted((KEPT / "printed").iterdir())
    assert len(printed) == 7
    for table in printed:
        then, now = pd.read_csv(table), pd.read_csv(to / table.name)
        if "n_seeds" in then:  # of a line without a finished run it was said that all are at the trivial score
            then.loc[then["n_seeds"] == 0, "runs"] = 0
            now["runs"] = now["runs"].astype(float)
        pd.testing.assert_frame_equal(now[list(then.columns)], then)


def test_what_is_done_is_not_run_again_and_the_folder_stays_as_it_is(bench: Bench, old: Path) -> None:
    before = tree(old)
    code, out, err = run(bench, "--seeds", "2")
    assert code == 0, err
    assert "0 to run" in out
    after = tree(old)
    assert {name: after[name] for name in before} == before
    new = after.keys() - before
    assert [name for name in new if not name.startswith("plans/")] == []  # with other places of model and data


def test_a_new_cell_makes_it_a_folder_of_this_version_and_leaves_the_old_ones_as_they_are(
    bench: Bench, old: Path
) -> None:
    before = tree(old)
    assert run(bench, "--seeds", "3", "--no-save-tuned")[0] == 0
    after = tree(old)
    of_cells = {name: content for name, content in before.items() if name.startswith(("cells/", "examples/"))}
    assert {name: after[name] for name in of_cells} == of_cells
    assert json.loads(after["store.json"]) == {"format": FORMAT}  # a version that knows 3 alone refuses another number
    formats = [record.format for record in Store.open(old).records()]
    assert (formats.count(3), formats.count(FORMAT)) == (10, 2)
    assert bench("check", old)[0] == 0


def test_the_mark_is_raised_before_anything_of_this_version_is_there(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (record, *_) = [record for record in Store.open(old).records() if record.status == "done"]
    shutil.rmtree(old / "cells" / record.id)
    seen: list[int] = []

    def look(path: Path, target: Path, rename: Any = Path.rename) -> Any:
        seen.append(format_of(old))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", look)
    Store(old).write(record)
    assert seen == [FORMAT]


def test_status_show_predict_and_export_read_it(bench: Bench, old: Path, tmp_path: Path) -> None:
    assert "10 cells (4 of them trials): 9 done, 1 failed" in bench("status", old)[1]
    (failed,) = [record for record in Store.open(old).records() if record.status == "failed"]
    assert "RuntimeError: no such thing as this method's prompts" in bench("show", failed.id, "--in", old)[2]
    cell = next(record for record in Store.open(old).records() if record.cell.task == "mails" and record.scores)
    said = ("--model", TINY, "--in", old)
    code, _, err = bench("predict", cell.id, "--data", "mails.csv", "--score", *said)
    assert code == 0, err
    assert bench("export", cell.id, "--to", tmp_path / "exported", *said)[0] == 0


def test_of_two_folders_of_different_formats_one_table_is_made(bench: Bench, old: Path) -> None:
    import bench as face

    new = Path(shutil.copytree(old, old.with_name("new")))
    (gone,) = [record for record in Store.open(new).records() if record.cell.task == "sentiment" and record.scores]
    shutil.rmtree(new / "cells" / gone.id)
    Store(new).write(gone)
    assert [Store.open(folder).record(gone.id).format for folder in (old, new)] == [3, FORMAT]
    scores = [face.load(*folders)["score"].dropna().tolist() for folders in ((old,), (new,), (old, new))]
    assert len(scores[0]) == 9
    assert scores[0] == scores[1] == scores[2]


@pytest.mark.parametrize("written", [1, 5, "4", True, None, 4.0])
def test_any_other_format_is_refused(old: Path, written: object) -> None:
    (old / "store.json").write_text(json.dumps({"format": written}))
    with pytest.raises(
        OtherFormat, match=rf"was written in results format {written}, this version reads formats 3 and 4"
    ):
        Store.open(old)


def test_a_mark_of_this_version_is_not_written_again(old: Path) -> None:
    raise_mark(old, old)
    before = (old / "store.json").stat().st_mtime_ns
    raise_mark(old, old)
    assert (old / "store.json").stat().st_mtime_ns == before


def test_a_mark_in_the_making_lies_aside_where_it_is_swept(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aside, made = old / ".partial" / "me", list[Path]()
    aside.mkdir(parents=True)
    monkeypatch.setattr(Path, "replace", lambda place, target: made.append(place))
    raise_mark(old, aside)
    assert [place.parent for place in made] == [aside]
