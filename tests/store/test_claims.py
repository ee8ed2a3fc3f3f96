"""Claims: of many processes one gets a cell, and what a dead one held is free again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import DiskError
from bench.store.claims import MOST_DEATHS, Claims
from bench.store.store import Store
from bench.store.workers import GONE, Identity, Watch, new_identity
from tests.store.conftest import ROOT, Clock, Process, elsewhere, show
from tests.store.test_store import make_cell, make_record

Start = Callable[..., Process]


def claims_of(folder: Path, owner: Identity | None = None) -> Claims:
    return Claims(folder, owner or new_identity("mine"), Watch(folder))


def standing(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "claims").iterdir() if not path.name.startswith("."))


# --- one of many

RACE = """
import os, sys
from pathlib import Path
from bench.store.claims import Claims
from bench.store.workers import Watch, new_identity
assert "torch" not in sys.modules
folder, cells, refused = Path(sys.argv[1]), [f"cell{number}" for number in range(int(sys.argv[3]))], sys.argv[4]
def refuse(*_, **__):
    raise PermissionError(1, "no hard links here")
for number in range(int(sys.argv[2])):
    if not os.fork():
        if refused == "refused":
            os.link = refuse
        sys.stdin.readline()  # all wait for its end
        claims = Claims(folder, new_identity("race"), Watch(folder))
        got = [cell for cell in cells if claims.take([cell], {})]
        (folder / f"part{number}").write_text(" ".join(got))
        (folder / f"part{number}").rename(folder / f"got{number}")  # whole when it is seen
        sys.stdin.close()
        while (folder / "on").exists():  # a process that has ended has no claim
            pass
        os._exit(0)
print("ready", flush=True)
while os.waitstatus_to_exitcode(os.wait()[1]) == 0:
    pass
"""


@pytest.mark.parametrize("refused", ["linked", "refused"])
def test_of_many_processes_that_want_a_cell_at_once_one_gets_it(tmp_path: Path, refused: str) -> None:
    """Also where the file system has no hard links."""
    num_processes, num_cells = 6, 300
    (tmp_path / "on").touch()
    racing = subprocess.Popen(
        [sys.executable, "-c", RACE, str(tmp_path), str(num_processes), str(num_cells), refused],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert racing.stdin is not None
    assert racing.stdout is not None
    assert racing.stdout.readline() == "ready\n"
    racing.stdin.close()
    while len(list(tmp_path.glob("got*"))) < num_processes:
        assert racing.poll() is None
    got = [path.read_text().split() for path in sorted(tmp_path.glob("got*"))]
    (tmp_path / "on").unlink()
    racing.wait()
    racing.stdout.close()
    taken = [cell for of_process in got for cell in of_process]
    assert sorted(taken) == sorted(f"cell{number}" for number in range(num_cells))
    assert standing(tmp_path) == sorted(f"{cell}.0" for cell in taken)


def test_what_a_living_process_holds_nobody_else_gets(tmp_path: Path, process: Start, clock: Clock) -> None:
    """However slow it is, and whatever its file says."""
    owner = process().identity
    assert claims_of(tmp_path, owner).take(["a", "b"]) == ["a", "b"]
    mine = claims_of(tmp_path)
    os.utime(show(tmp_path, owner), (0, 0))
    assert mine.take(["a", "b", "c"]) == ["c"]
    for _ in range(5):
        clock.now += GONE
        assert mine.take(["a", "b"]) == []
    assert standing(tmp_path) == ["a.0", "b.0", "c.0"]
    assert (mine.held()["a"].owner, mine.held()["c"].owner) == (owner, mine.me)


def test_what_a_dead_process_of_this_machine_held_is_free_at_once(tmp_path: Path, process: Start) -> None:
    child, mine = process(), claims_of(tmp_path)
    claims_of(tmp_path, child.identity).take(["a"])
    assert mine.take(["a"]) == []
    child.kill()
    assert mine.take(["a"]) == ["a"]
    assert standing(tmp_path) == ["a.0", "a.1"]
    assert claims_of(tmp_path).take(["a"]) == []  # it is held again


def test_what_a_process_of_another_machine_held_is_free_when_it_has_long_been_silent(
    tmp_path: Path, clock: Clock
) -> None:
    far, mine = elsewhere(), claims_of(tmp_path)
    claims_of(tmp_path, far).take(["a"])
    os.utime(show(tmp_path, far), (2**33, 2**33))  # its clock is centuries ahead
    for _ in range(int(GONE)):
        assert mine.take(["a"]) == []
        clock.now += 1
    assert mine.take(["a"]) == ["a"]


def test_a_name_that_comes_again_has_a_new_owner(tmp_path: Path, process: Start) -> None:
    """Who let go and ended is not taken for the one who holds the cell now."""
    first, second, mine = process(), process(), claims_of(tmp_path)
    of_first = claims_of(tmp_path, first.identity)
    of_first.take(["a"])
    assert mine.held()["a"].owner == first.identity
    of_first.close()
    first.kill()
    claims_of(tmp_path, second.identity).take(["a"])
    assert standing(tmp_path) == ["a.0"]
    assert mine.held()["a"].owner == second.identity
    assert mine.take(["a"]) == []


def test_a_list_that_is_old_by_now_gives_nobody_what_is_held(tmp_path: Path, process: Start) -> None:
    dead, living = process(), process()
    mine = claims_of(tmp_path)
    nothing = mine.held()
    claims_of(tmp_path, dead.identity).take(["a"])
    dead.kill()
    one_dead = mine.held()
    claims_of(tmp_path, living.identity).take(["a"])
    assert standing(tmp_path) == ["a.0", "a.1"]
    assert (mine.take(["a"], nothing), mine.take(["a"], one_dead)) == ([], [])


# --- what file systems do


def test_where_the_answer_is_lost_a_claim_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network file system asks again when no answer came, and is then told that the file exists, or fails."""
    link = os.link
    errors = [FileExistsError(errno.EEXIST, "File exists"), OSError(errno.EIO, "Input/output error")]

    def lost(*arguments: Any) -> None:
        link(*arguments)
        raise errors.pop()

    mine = claims_of(tmp_path)
    with monkeypatch.context() as network:
        network.setattr(os, "link", lost)
        assert mine.take(["a", "b"]) == ["a", "b"]
    assert standing(tmp_path) == ["a.0", "b.0"]
    assert claims_of(tmp_path).take(["a", "b"]) == []


@pytest.mark.parametrize("text", ["", '{"worker": "x"'])
def test_a_claim_that_is_half_written_is_held_until_it_has_long_been_so(
    tmp_path: Path, clock: Clock, text: str
) -> None:
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "a.0").write_text(text)
    mine = claims_of(tmp_path)
    for _ in range(int(GONE)):
        assert mine.take(["a"]) == []
        clock.now += 1
    assert mine.held()["a"].deaths == 0  # nobody knows whose
    assert mine.take(["a"]) == ["a"]


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named_and_leaves_no_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = claims_of(tmp_path)
    mine.take(["a"])
    with monkeypatch.context() as disk:
        disk.setattr(os, "link", no_space)
        disk.setattr(os, "fdopen", no_space)  # the file can be made, but there is no room for its text
        with pytest.raises(DiskError, match=r"no space left on the disk of .*; finished cells are kept"):
            mine.take(["b"])
    assert standing(tmp_path) == ["a.0"]
    mine.close()
    assert list((tmp_path / "claims").iterdir()) == []


def test_a_disk_that_is_full_before_the_first_claim_leaves_no_half_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = claims_of(tmp_path)
    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_text", no_space)
        disk.setattr(os, "open", no_space)
        with pytest.raises(DiskError):
            mine.take(["a"])
    assert list((tmp_path / "claims").iterdir()) == []
    assert mine.take(["a"]) == ["a"]
    assert mine.held()["a"].owner == mine.me


def test_a_claim_that_could_not_be_removed_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = claims_of(tmp_path)
    mine.take(["a"])
    with monkeypatch.context() as disk:
        disk.setattr(Path, "unlink", no_space)
        mine.release(["a"], over=False)
    assert standing(tmp_path) == ["a.0"]
    assert mine.take(["a"]) == ["a"]
    mine.release(["a"])
    assert standing(tmp_path) == []


# --- letting go


def test_what_is_over_loses_the_claims_of_earlier_owners_and_what_is_not_keeps_them(
    tmp_path: Path, process: Start
) -> None:
    child, mine = process(), claims_of(tmp_path)
    claims_of(tmp_path, child.identity).take(["a", "b", "c"])
    child.kill()
    assert mine.take(["a", "b"]) == ["a", "b"]
    mine.release(["a"])
    mine.release(["b"], over=False)
    mine.release(["c"])  # which it does not hold
    assert standing(tmp_path) == ["b.0", "c.0"]


def test_closing_lets_go_of_everything_and_leaves_the_dead_to_count(tmp_path: Path, process: Start) -> None:
    child, mine = process("mine"), claims_of(tmp_path)
    claims_of(tmp_path, child.identity).take(["a"])
    child.kill()
    mine.take(["a", "b"])
    mine.close()
    assert standing(tmp_path) == ["a.0"]
    assert claims_of(tmp_path).held()["a"].deaths == 1


def test_claims_on_finished_cells_are_forgotten_when_their_owners_are_gone(tmp_path: Path, process: Start) -> None:
    dead, living, mine = process(), process(), claims_of(tmp_path)
    claims_of(tmp_path, dead.identity).take(["a"])
    claims_of(tmp_path, living.identity).take(["b"])
    dead.kill()
    mine.forget(["a", "b", "c"], mine.held())
    assert standing(tmp_path) == ["b.0"]


def test_one_who_comes_back_changes_no_finished_cell_and_nobodys_claim(tmp_path: Path, clock: Clock) -> None:
    """It was thought gone: its machine slept, or the network was away."""
    record = make_record(make_cell())
    far, mine = claims_of(tmp_path, elsewhere()), claims_of(tmp_path)
    far.take([record.id])
    while not mine.take([record.id]):
        clock.now += GONE / 3
    far.release([record.id], over=False)
    assert standing(tmp_path) == [f"{record.id}.1"]
    store = Store(tmp_path)
    store.write(record)
    before = (store.cell_folder(record.id) / "record.json").read_bytes()
    Store(tmp_path).write(record.model_copy(update={"scores": {"accuracy": 1.0}}))
    assert (store.cell_folder(record.id) / "record.json").read_bytes() == before
    mine.release([record.id])
    assert standing(tmp_path) == []


# --- how many a cell has brought down


def test_the_dead_of_a_run_are_counted_and_those_of_earlier_ones_forgiven(tmp_path: Path, process: Start) -> None:
    for run in ("earlier", "this", "this"):
        child = process(run)
        assert claims_of(tmp_path, child.identity).take(["a"]) == ["a"]
        child.kill()
    assert standing(tmp_path) == ["a.0", "a.1", "a.2"]
    found = {run: claims_of(tmp_path, new_identity(run)).held()["a"] for run in ("earlier", "this", "later")}
    assert {run: held.deaths for run, held in found.items()} == {"earlier": 1, "this": 2, "later": 0}
    assert {(held.number, held.is_gone) for held in found.values()} == {(2, True)}


def test_those_that_die_while_this_process_is_there_are_counted_whatever_their_run(
    tmp_path: Path, process: Start
) -> None:
    """Else a cell would bring down every one of many processes that were started by hand."""
    mine = claims_of(tmp_path)
    mine.held()
    for number in range(MOST_DEATHS):
        child = process(f"by hand {number}")
        claims_of(tmp_path, child.identity).take(["a"])
        assert mine.held()["a"].deaths == number
        child.kill()
        assert mine.held()["a"].deaths == number + 1
    assert claims_of(tmp_path).held()["a"].deaths == 0  # for one that comes now
