"""What several processes pack into one archive at the same time is all in it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from bench.share import push
from bench.share.union import Extras, joined
from bench.store import archive
from bench.store.fetched import open_results
from bench.store.store import Store
from bench.writing import Overtaken, mark, whole
from tests.conftest import Bench
from tests.share.conftest import ran, seeds_of


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flags = ("--tasks", "sentiment", "--models", "tiny", "--methods", "ptv2,linear_probe", "--seeds", "3")
    return ran(tmp_path_factory.mktemp("results"), *flags, "--steps", "2", "--batch-size", "4", "--scored-rows", "20")


@pytest.fixture
def folders(results: Path, tmp_path: Path) -> list[Path]:
    """Of three people, who measured one seed each."""
    return [seeds_of(Path(shutil.copytree(results, tmp_path / f"of-{seed}")), seed) for seed in range(3)]


def ids_of(place: Path) -> set[str]:
    return {record.id for record in open_results(place).records()}


def test_who_was_overtaken_joins_what_is_there_now(
    bench: Bench, results: Path, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two push while the third is about to write."""
    first, second, third = folders
    others = [first, second]

    def slow(*arguments: Any) -> Any:
        union = joined(*arguments)
        if others:
            other = others.pop(0)
            with monkeypatch.context() as quick:
                quick.setattr(push, "joined", joined)
                push.pack(Store.open(other), Path("all.tar.xz"), Extras())
        return union

    monkeypatch.setattr(push, "joined", slow)
    code, out, err = bench("push", third, "--to", "all.tar.xz")
    assert (code, err) == (0, "")
    assert "added 2 cells" in out
    assert others == []
    assert ids_of(Path("all.tar.xz")) == ids_of(results)


def test_many_threads(results: Path, folders: list[Path], tmp_path: Path) -> None:
    to, errors = tmp_path / "all.tar.xz", list[BaseException]()

    def pack(folder: Path) -> None:
        try:
            push.pack(Store.open(folder), to, Extras())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=pack, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert ids_of(to) == ids_of(results)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_where_others_are_always_faster_it_ends(
    bench: Bench, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "mark", lambda _: ("another", "each", "time"))
    monkeypatch.setattr(push, "open_results", lambda _: None)
    said = bench.refusal(*bench("push", folders[0], "--to", "all.tar.xz"))
    assert said == "error: cannot write all.tar.xz: others have written it 20 times meanwhile; try again later"
    assert not list(Path.cwd().glob("*all.tar.xz*"))


@pytest.mark.parametrize("there", [False, True])
def test_another_file_in_a_place_is_noticed(there: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if there:
        path.write_text("before")
    before = mark(path)
    with whole(path, instead=before) as place:
        place.write_text("mine")
    with pytest.raises(Overtaken), whole(path, instead=before) as place:
        place.write_text("late")
    assert path.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_is_read_while_others_write_is_kept_under_its_own_checksum(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the earlier archive is read from what is kept."""
    to, copy, late = (tmp_path / f"{name}.tar.xz" for name in ("all", "copy", "late"))
    push.pack(Store.open(folders[0]), to, Extras())
    push.pack(Store.open(folders[1]), late, Extras())
    shutil.copy(to, copy)
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path / "cache"))

    reading = archive._reading

    def replaced_first(path: Path) -> Any:
        if late.exists():
            late.replace(path)
        return reading(path)

    monkeypatch.setattr(archive, "_reading", replaced_first)
    assert ids_of(to) == {record.id for record in Store.open(folders[1]).records()}
    assert ids_of(copy) == {record.id for record in Store.open(folders[0]).records()}
