"""A finished cell that is not what was written any more is measured again, under a claim, and nothing else is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.store.claims import Claims
from bench.store.healing import set_aside
from bench.store.store import Store
from bench.store.workers import Watch
from tests.conftest import Bench
from tests.store.conftest import Process
from tests.store.test_store import make_cell, make_record
from tests.test_bad_results import tree

Start = Callable[..., Process]
FILES = {"tuned.safetensors": lambda path: path.write_bytes(b"tensors") and None}


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path / "results")
    for seed in range(3):
        made.write(make_record(make_cell(seed)), FILES)
    return made


@pytest.mark.parametrize("name", ["record.json", "tuned.safetensors"])
def test_what_is_broken_counts_as_missing_until_another_is_there(store: Store, name: str) -> None:
    cells = [make_cell(seed) for seed in range(3)]
    spoil(store.cell_folder(cells[1].id) / name)
    assert store.missing(cells) == []
    store.verify()
    assert store.missing(cells) == [cells[1]]
    assert not store.is_done(cells[1].id)
    assert store.records_of([cells[1].id]) == {}
    said: list[str] = []
    set_aside(store, {cell.id for cell in cells}, said.append)
    assert [line.split(": ")[0] for line in said] == [f"cell {cells[1].id} is measured again"]
    store.write(make_record(cells[1], scores={"accuracy": 70.0}), FILES)
    assert store.missing(cells) == []
    assert store.records_of([cells[1].id])[cells[1].id].scores == {"accuracy": 70.0}
    (kept,) = (store.path / "broken").iterdir()
    assert kept.name.startswith(f"{cells[1].id}.")
    assert sorted(path.name for path in kept.iterdir()) == ["record.json", "tuned.safetensors"]
    assert list((store.path / "claims").iterdir()) == []


def test_what_another_process_holds_is_left_to_it(store: Store, process: Start) -> None:
    cell = make_cell(1)
    spoil(store.cell_folder(cell.id) / "record.json")
    store.verify()
    other = process()
    theirs = Claims(store.path, other.identity, Watch(store.path))
    assert theirs.take([cell.id]) == [cell.id]
    before = tree(store.path)
    set_aside(store, {cell.id}, pytest.fail)
    assert {name: content for name, content in tree(store.path).items() if "claims" not in name} == {
        name: content for name, content in before.items() if "claims" not in name
    }
    other.kill()
    set_aside(store, {cell.id}, lambda _: None)
    assert not store.cell_folder(cell.id).exists()


def test_what_another_process_has_measured_again_meanwhile_stays(store: Store) -> None:
    cell = make_cell(1)
    spoil(store.cell_folder(cell.id) / "record.json")
    store.verify()
    shutil.rmtree(store.cell_folder(cell.id))
    Store(store.path).write(make_record(cell, scores={"accuracy": 70.0}), FILES)
    set_aside(store, {cell.id}, pytest.fail)
    assert store.record(cell.id).scores == {"accuracy": 70.0}


def test_what_no_grid_of_ours_asks_for_stays_where_it_is(store: Store) -> None:
    spoil(store.cell_folder(make_cell(1).id) / "record.json")
    store.verify()
    set_aside(store, {make_cell(2).id}, pytest.fail)
    assert store.cell_folder(make_cell(1).id).exists()


def test_files_that_somebody_removed_are_no_reason_to_measure_again(store: Store) -> None:
    (store.cell_folder(make_cell(1).id) / "tuned.safetensors").unlink()
    store.verify()
    assert store.broken() == {}


def test_a_writer_that_finds_a_folder_without_a_record_does_not_remove_what_comes_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find an empty folder; the other puts its finished cell there before this one removes the empty one."""
    cell = make_cell(7)
    store.cell_folder(cell.id).mkdir()
    first, rename = make_record(cell, scores={"accuracy": 70.0}), Path.rename
    others: list[Store] = [Store(store.path)]

    def overtaken(path: Path, target: Path) -> Path:
        if path == store.cell_folder(cell.id) and others:
            others.pop().write(first, FILES)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    store.write(make_record(cell, scores={"accuracy": 60.0}), FILES)
    assert store.record(cell.id).scores == {"accuracy": 70.0}
    assert list((store.path / ".partial").iterdir()) == []


@pytest.mark.parametrize("name", ["record.json", "predictions.parquet", "tuned.safetensors"])
def test_a_run_measures_it_again_and_comes_to_the_same(bench: Bench, name: str) -> None:
    assert bench.run("--seeds", "2")[0] == 0
    before = tree(Path("out/cells"))
    path = sorted(Path("out/cells").glob(f"*/{name}"))[0]
    spoil(path)
    assert "1 to run" in bench.run("--seeds", "2", "--plan")[1]
    assert path.exists()
    code, out, err = bench.run("--seeds", "2")
    assert code == 0, err
    assert f"cell {path.parent.name} is measured again: {path} is not what was written" in out
    assert "1 cells written to out" in out
    after = tree(Path("out/cells"))
    its_record = f"{path.parent.name}/record.json"
    assert {file: after[file] for file in before if file != its_record} == {
        file: content for file, content in before.items() if file != its_record
    }
    assert bench("check", "out")[0] == 0
    assert "0 to run" in bench.run("--seeds", "2")[1]


def test_trials_that_are_broken_are_measured_again_and_choose_the_same(bench: Bench) -> None:
    asked = ("--trials", "2", "--seeds", "1")
    assert bench.run(*asked)[0] == 0
    before = {record.id: record.scores for record in Store.open(Path("out")).records()}
    trial = next(record for record in Store.open(Path("out")).records() if record.cell.stage == "trial")
    spoil(Path(f"out/cells/{trial.id}/record.json"))
    code, out, err = bench.run(*asked)
    assert code == 0, err
    assert "1 trials and 0 cells written" in out
    assert {record.id: record.scores for record in Store.open(Path("out")).records()} == before
