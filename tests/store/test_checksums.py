"""Whatever is not what was written is noticed where it is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.report.statistics.draws import draw_cells
from bench.store.checksums import check_file, checked_bytes, digest
from bench.store.examples import all_spoiled_examples
from bench.store.predictions import write_predictions
from bench.store.reading import read_record
from bench.store.seal import Spoiled, is_sealed, sealed
from bench.store.store import Store
from tests.report.conftest import make_cell, make_predicted

PLACE = Path("somewhere")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A finished cell with files, a failed one, a plan and scored texts."""
    made = Store.create(tmp_path / "results")
    record, rows = make_predicted(make_cell(seed=0), 20, 40)
    made.write_plan([record.cell, make_cell(seed=1)])
    made.write(record, {
        "predictions.parquet": lambda path: write_predictions(path, rows),
        "tuned.safetensors": lambda path: path.write_bytes(b"tensors" * 100) and None,
    })  # fmt: skip
    failed, _ = make_predicted(make_cell(seed=1), 20, 40)
    made.write(failed.model_copy(update={"status": "failed", "reason": "no luck", "scores": {}}))
    made.write_examples("0123456789abcdef", lambda path: path.write_bytes(b"texts" * 100) and None)
    return made


def the_cell(store: Store) -> Path:
    (folder,) = store.path.glob("cells/*")
    return folder


def test_no_bit_of_a_sealed_text_turns_unseen() -> None:
    content = sealed('{\n "name": "é",\n "score": 61.5\n}\n').encode()
    assert is_sealed(content, PLACE)
    for bit in range(8 * len(content)):
        turned = bytearray(content)
        turned[bit // 8] ^= 1 << bit % 8
        try:
            seen = not is_sealed(bytes(turned), PLACE)  # then it has no checksum, which its format asks for
        except Spoiled:
            seen = True
        assert seen, bit


def test_a_text_that_is_cut_or_longer_is_noticed() -> None:
    content = sealed('{\n "score": 61.5\n}\n').encode()
    start = content.index(b',\n "sha256": "') + len(b',\n "sha256": "')
    assert not any(is_sealed(content[:length], PLACE) for length in range(start))  # no JSON either
    for other in (*(content[:length] for length in range(start, len(content))), content + b"\n"):
        with pytest.raises(Spoiled, match="somewhere is not what was written: its checksum is another one"):
            is_sealed(other, PLACE)


def test_every_file_of_a_cell_has_its_checksum_in_the_record(store: Store) -> None:
    (record,) = [each for each in store.records() if each.status == "done"]
    assert record.files == {path.name: digest(path) for path in the_cell(store).iterdir() if path.suffix != ".json"}
    assert record.files.keys() == {"predictions.parquet", "tuned.safetensors"}


EVERY = 7  # of how many bits one is turned: all of them are by the campaign
READERS: dict[str, Callable[[Store, Path], Any]] = {
    "cells/*/record.json": lambda store, path: read_record(path, path.parent.name),
    "cells/*/predictions.parquet": lambda store, path: checked_bytes(path),
    "cells/*/tuned.safetensors": lambda store, path: check_file(path),
    "failed/*.json": lambda store, path: read_record(path, path.stem),
    "plans/*.json": lambda store, path: store.planned(),
    "examples/*.parquet": lambda store, path: [_raise(error) for error in all_spoiled_examples(store.path)],
    "store.json": lambda store, path: Store.open(store.path),
}


def _raise(error: UsageError) -> None:
    raise error


@pytest.mark.parametrize("name", READERS)
def test_a_bit_that_turns_is_noticed_by_whoever_reads_the_file(store: Store, name: str) -> None:
    (path,) = store.path.glob(name)
    content = path.read_bytes()
    READERS[name](store, path)
    for bit in range(0, 8 * len(content), EVERY):
        turned = bytearray(content)
        turned[bit // 8] ^= 1 << bit % 8
        path.write_bytes(turned)
        with pytest.raises(UsageError):
            READERS[name](store, path)


def test_files_of_another_cell_are_not_taken(store: Store) -> None:
    record, rows = make_predicted(make_cell(seed=2), 25, 40)
    store.write(record, {"predictions.parquet": lambda path: write_predictions(path, rows)})
    (other,) = [folder for folder in store.path.glob("cells/*") if folder.name != record.id]
    shutil.copy(other / "predictions.parquet", store.cell_folder(record.id))
    with pytest.raises(Spoiled, match=r"predictions\.parquet is not what was written: its checksum is another one"):
        checked_bytes(store.cell_folder(record.id) / "predictions.parquet")
    shutil.copy(other / "tuned.safetensors", store.cell_folder(record.id))
    with pytest.raises(Spoiled, match=r"tuned\.safetensors is not what was written: the record has no checksum of it"):
        check_file(store.cell_folder(record.id) / "tuned.safetensors")
    shutil.copytree(other, store.cell_folder("f" * 16))
    broken: list[str] = []
    store.records(lambda error: broken.append(str(error)))
    assert broken == [f"{store.path}/cells/{'f' * 16}/record.json is the record of another cell, {other.name}"]


def test_a_later_format_is_not_called_broken(store: Store) -> None:
    from tests.store.edited import edit

    edit(the_cell(store) / "record.json", format=5)
    store.verify()
    assert store.broken() == {}
    with pytest.raises(UsageError, match="is of results format 5"):
        store.record(the_cell(store).name)


def test_predictions_that_are_not_what_was_written_draw_no_interval(store: Store) -> None:
    from bench.registry import suites
    from bench.report.read.frame import frame

    rows = frame([store])
    assert draw_cells(rows, suites()).problems == []
    path = the_cell(store) / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"2")
    for records in ({}, store.records_of([path.parent.name])):
        drawn = draw_cells(rows, suites(), records=records)
        assert drawn.draws == {}
        (problem,) = drawn.problems
        assert "predictions.parquet is not what was written: its checksum is another one (1 cell)" in problem


def test_a_record_that_was_read_has_the_checksums_of_its_own_files_alone(store: Store) -> None:
    path = the_cell(store) / "predictions.parquet"
    record = store.record(path.parent.name)
    assert checked_bytes(path, record) == path.read_bytes()
    with pytest.raises(Spoiled, match="the record has no checksum of it"):
        checked_bytes(path, record.model_copy(update={"files": {}}))
    assert checked_bytes(path, record.model_copy(update={"files": {}, "format": 3})) == path.read_bytes()


def test_texts_that_are_not_what_was_written_are_kept_anew_and_shown_nowhere(store: Store) -> None:
    key = "0123456789abcdef"
    path = store.examples_file(key)
    assert path is not None
    path.write_bytes(b"other texts")
    assert store.examples_file(key) is None
    Store(store.path).write_examples(key, lambda path: path.write_bytes(b"texts" * 100) and None)
    assert store.examples_file(key) == path
    assert path.read_bytes() == b"texts" * 100


def test_two_writers_of_the_same_texts_in_other_bytes_do_not_spoil_each_others(store: Store) -> None:
    key = "fedcba9876543210"
    slow = Store(store.path)

    def overtaken(path: Path) -> None:
        store.write_examples(key, lambda path: path.write_bytes(b"one way") and None)
        path.write_bytes(b"another way")

    slow.write_examples(key, overtaken)
    assert sorted(path.read_bytes() for path in store.path.glob(f"examples/{key}-*")) == [b"another way", b"one way"]
    assert all_spoiled_examples(store.path) == []
    assert store.examples_file(key) is not None
