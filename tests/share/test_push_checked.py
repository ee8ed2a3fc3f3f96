"""What is pushed has been read to its last byte; results of an older format go along, and get their checksums."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import bench as face
from bench.share import push
from bench.store.formats import FORMAT
from bench.store.store import Store
from tests.conftest import Bench
from tests.share.conftest import Become
from tests.share.test_push import HUB, REPO, said
from tests.share.writable_hub import WritableHub
from tests.store.test_healing import spoil
from tests.store.test_older_formats import KEPT


@pytest.fixture
def us(bench: Bench, become: Become, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(push, "FORMATS", ("md",))
    become("us")
    return bench


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(KEPT / "results", tmp_path / "old"))


@pytest.mark.parametrize("flags", [(), ("--with-predictions",), ("--with-tuned",)])
def test_a_cell_that_is_not_what_was_written_stays_here_and_is_named(
    flags: tuple[str, ...], us: Bench, mine: Path, hub: WritableHub
) -> None:
    name = "tuned.safetensors" if flags == ("--with-tuned",) else "predictions.parquet"
    path = next(path for path in sorted(mine.glob(f"cells/*/{name}")) if _task(path) == "rte")
    spoil(path)
    code, out, err = us("push", mine, "--to", HUB, *flags)
    assert code == 0, err
    assert "added 7 cells in" in out
    assert f"cell {path.parent.name}: {name} is not what was written: its checksum is another one" in err
    assert [file for file in hub.files(REPO) if path.parent.name in file] == []


def _task(path: Path) -> str:
    return str(json.loads(path.with_name("record.json").read_text())["cell"]["task"])


def test_what_is_sent_has_the_checksums_of_what_is_sent(us: Bench, mine: Path, hub: WritableHub) -> None:
    said(us("push", mine, "--to", HUB))
    code, out, _ = us("check", HUB)
    assert (code, "8 finished cells" in out) == (0, True)
    files = [json.loads(content)["files"] for name, content in hub.files(REPO).items() if name.endswith("record.json")]
    assert sorted(map(sorted, files)) == [["predictions.parquet"]] * 4 + [["terms.parquet"]] * 4


def test_a_folder_of_format_3_is_pushed_and_comes_back_the_same(us: Bench, old: Path, hub: WritableHub) -> None:
    before = face.load(old).drop(columns="results")
    said(us("push", old, "--to", HUB, "--with-predictions"))
    assert json.loads(hub.files(REPO)["store.json"]) == {"format": FORMAT}
    after = face.load(HUB).drop(columns="results")
    assert after.drop(columns="settings").equals(before.drop(columns="settings"))
    assert us("check", HUB)[0] == 0
    records = [json.loads(content) for name, content in hub.files(REPO).items() if name.endswith("/record.json")]
    assert [record["format"] for record in records] == [FORMAT] * 9


def test_what_joins_results_of_format_3_makes_them_some_of_this_one(
    us: Bench, mine: Path, old: Path, hub: WritableHub
) -> None:
    there = {path.relative_to(old).as_posix(): path.read_bytes() for path in old.rglob("*") if path.is_file()}
    hub.push("dataset", REPO, {name: content for name, content in there.items() if not name.endswith(".safetensors")})
    assert "added 8 cells in" in said(us("push", mine, "--to", HUB))
    after = hub.files(REPO)
    assert json.loads(after["store.json"]) == {"format": FORMAT}
    kept = {name for name in there if name.startswith(("cells/", "examples/")) and not name.endswith(".safetensors")}
    assert {name: after[name] for name in kept} == {name: there[name] for name in kept}
    assert len(face.load(HUB)["id"].unique()) == len({*face.load(old)["id"], *face.load(mine)["id"]})
    assert sorted({record.format for record in Store.open(old).records()}) == [3]
