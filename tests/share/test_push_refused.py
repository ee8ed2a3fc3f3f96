"""What the hub, the network and the folder refuse is one line, and nothing is sent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from bench.share import push
from bench.store.store import Store
from tests.conftest import Bench
from tests.share.conftest import Become
from tests.share.writable_hub import WritableHub

HUB = "hub:us/our-results"


@pytest.fixture
def us(bench: Bench, become: Become, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(push, "FORMATS", ("md",))
    become("us")
    return bench


@pytest.fixture
def little(tmp_path: Path) -> Path:
    """An empty results folder: none of these refusals looks at it."""
    return Store.create(tmp_path / "little").path


def test_without_a_token(us: Bench, little: Path, become: Become, hub: WritableHub) -> None:
    become("nobody", token=None)
    line = us.refusal(*us("push", little, "--to", HUB))
    assert line == f"error: cannot push to {HUB}: the hub must know who you are; `hf auth login`, or HF_TOKEN"
    become("nobody", token="wrong")
    assert "the hub does not know who you are" in us.refusal(*us("push", little, "--to", HUB))
    assert hub.commits == {}


def test_without_the_right_to_write(us: Bench, little: Path, become: Become, hub: WritableHub) -> None:
    become("reader", token="token-of-reader")
    line = us.refusal(*us("push", little, "--to", HUB))
    assert line.startswith(f"error: cannot push to {HUB}: this token may not do that; take one with write access")
    hub.push("dataset", "us/our-results", {".gitattributes": b""})
    assert "this token may not do that" in us.refusal(*us("push", little, "--to", HUB))


@pytest.mark.parametrize(
    "to",
    ["hub:results", "hub:us/re sults", "hub:us/a/b", "hub:../x", "hub:us/..", "hub:us/x.git", "hub:"],
)
def test_a_malformed_name(to: str, us: Bench, little: Path) -> None:
    assert f"{to!r} is no address of results on the hub; the form is hub:owner/name" in us.refusal(
        *us("push", little, "--to", to)
    )


def test_a_revision(us: Bench, little: Path) -> None:
    assert "results are pushed to the newest state; leave out @v1" in us.refusal(
        *us("push", little, "--to", f"{HUB}@v1")
    )


def test_a_dead_network(us: Bench, little: Path, become: Become) -> None:
    become("us", address="http://127.0.0.1:9")  # nobody listens on the port for discarding
    assert us.refusal(*us("push", little, "--to", HUB)).startswith(f"error: cannot push to {HUB}: ")


def test_offline(us: Bench, little: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert us.refusal(*us("push", little, "--to", HUB)) == f"error: cannot push to {HUB}: HF_HUB_OFFLINE is set"
    code, out, err = us("push", little, "--to", HUB, "--dry-run")
    assert (code, "store.json" in out) == (0, True)
    assert "all is listed as if nothing were there" in err


def test_a_repository_with_other_things(us: Bench, little: Path, hub: WritableHub) -> None:
    hub.push("dataset", "us/our-results", {"README.md": b"", "train.csv": b"a,b"})
    assert f"{HUB} has other things in it, such as train.csv; choose another name" in us.refusal(
        *us("push", little, "--to", HUB)
    )


def test_a_public_repository_is_not_taken_for_a_private_one(us: Bench, little: Path, hub: WritableHub) -> None:
    assert us("push", little, "--to", "hub:us/hidden", "--private")[0] == 0
    assert hub.private == {"us/hidden"}
    assert us("push", little, "--to", HUB)[0] == 0
    assert f"{HUB} is there and public" in us.refusal(*us("push", little, "--to", HUB, "--private"))


def test_results_of_another_format_there(us: Bench, little: Path, hub: WritableHub) -> None:
    hub.push("dataset", "us/our-results", {"store.json": b'{"format": 99}'})
    line = us.refusal(*us("push", little, "--to", HUB))
    assert f"{HUB}@" in line
    assert "was written in results format 99" in line


def test_a_folder_that_is_none(us: Bench, tmp_path: Path) -> None:
    assert "is not a results folder" in us.refusal(*us("push", tmp_path, "--to", HUB))


def test_links_do_not_go(us: Bench, mine: Path, hub: WritableHub, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a key")
    for path in mine.glob("cells/*/tuned.safetensors"):
        path.unlink()
        path.symlink_to(tmp_path / "secret")
    assert us("push", mine, "--to", HUB, "--with-tuned")[0] == 0
    assert b"a key" not in hub.files("us/our-results").values()


def test_a_setting_that_is_a_path_keeps_its_cell_here(us: Bench, mine: Path, hub: WritableHub) -> None:
    store = Store.open(mine)
    record = store.records()[0]
    cell = record.cell.changed(settings={**record.cell.settings, "words": "/users/ann/words.txt"})
    shutil.rmtree(store.cell_folder(record.id))
    store.write(record.model_copy(update={"cell": cell, "id": cell.id}))
    code, _, err = us("push", mine, "--to", HUB)
    assert code == 0
    assert f"cell {cell.id} has a path of this machine in its settings, which is part of its id" in err
    assert not [name for name, content in hub.files("us/our-results").items() if b"ann" in content]
