"""Where a cell is found when nobody says in which results folder it is."""

from __future__ import annotations

import pytest

from bench.commands.folders import store_of
from bench.errors import UsageError
from bench.store.record import Record
from bench.store.store import Store


@pytest.fixture
def kept(workshop, tmp_path, monkeypatch):
    """Writes records of some cells to results/NAME, in a fresh working folder; returns their ids."""
    monkeypatch.chdir(tmp_path)
    cells = workshop.cells("ptv2", seeds=tuple(range(30)))

    def keep(name, numbers, status="done", tensors=False):
        store = Store.create(tmp_path / "results" / name)
        files = {"tuned.safetensors": lambda path: path.write_bytes(b"tensors")} if tensors else {}
        for number in numbers:
            record = Record(id=cells[number].id, cell=cells[number], status=status, main_metric="accuracy")
            store.write(record, files)
        return [cells[number].id for number in numbers]

    return keep


def test_a_cell_is_found_in_whichever_folder_has_it(kept):
    (first,), (second,) = kept("a", [0]), kept("b", [1])
    assert store_of(first[:8], None).path.name == "a"
    assert store_of(second, None).path.name == "b"


def test_of_folders_with_the_same_cell_it_is_one_that_finished_it_and_kept_its_tensors(kept):
    kept("a", [0], tensors=True)
    kept("b", [0])
    (cell,) = kept("c", [0], status="failed")
    assert store_of(cell, None).path.name == "a"


def test_an_id_that_several_begin_with_is_told_with_their_folders(kept):
    ids = [*kept("a", range(15)), *kept("b", range(15, 30))]
    letter = max("0123456789abcdef", key=lambda start: sum(name.startswith(start) for name in ids))
    with pytest.raises(UsageError, match=rf"^\d+ cells have an id starting with '{letter}': \w{{16}} in results/[ab]"):
        store_of(letter, None)


def test_an_id_that_none_begins_with_names_where_was_looked(kept):
    kept("a", [0])
    with pytest.raises(UsageError, match=r"^no cell in results/a has an id starting with 'zz'"):
        store_of("zz", None)
    kept("b", [1])
    with pytest.raises(UsageError, match=r"^no cell in the 2 results folders under results/ has an id"):
        store_of("zz", None)


def test_a_folder_of_another_version_is_passed_over(kept, tmp_path):
    (cell,) = kept("a", [0])
    kept("old", [0])
    (tmp_path / "results" / "old" / "store.json").write_text('{"format": 1}')
    assert store_of(cell, None).path.name == "a"


def test_a_folder_that_is_named_is_the_only_one(kept, tmp_path):
    kept("a", [0])
    (cell,) = kept("b", [1])
    with pytest.raises(UsageError, match=r"no cell in .*/a has an id"):
        store_of(cell, tmp_path / "results" / "a")
