"""Who is at work: a process of this machine is asked for, one of another must show a sign now and then."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import DiskError
from bench.store import workers
from bench.store.workers import GONE, Presence, Watch, new_identity, worker_file, workers_of
from tests.store.conftest import Clock, Process, elsewhere, show

YEARS = 10 * 365 * 24 * 3600.0
Start = Callable[..., Process]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# --- processes of this machine


def test_a_process_of_this_machine_lives_as_long_as_it_runs_whatever_its_file_says(
    tmp_path: Path, process: Start, clock: Clock
) -> None:
    child, watch = process(), Watch(tmp_path)
    assert not watch.is_gone(child.identity)
    path = show(tmp_path, child.identity)
    os.utime(path, (0, 0))
    for _ in range(5):
        clock.now += 10 * GONE
        assert not watch.is_gone(child.identity)
    child.kill()
    assert watch.is_gone(child.identity)


def test_a_process_that_has_ended_but_was_not_waited_for_is_gone(tmp_path: Path, process: Start) -> None:
    child = process()
    child.popen.kill()
    wait_for(lambda: Path(f"/proc/{child.popen.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert Watch(tmp_path).is_gone(child.identity)


def test_a_later_process_with_the_same_number_is_another_one(tmp_path: Path, process: Start) -> None:
    child, watch = process(), Watch(tmp_path)
    earlier = child.identity.model_copy(update={"began": str(int(child.identity.began) - 1)})
    assert (watch.is_gone(earlier), watch.is_gone(child.identity)) == (True, False)


@pytest.mark.parametrize(
    ("answer", "is_gone"), [(PermissionError(1, "not yours"), False), (ProcessLookupError(), True)]
)
def test_a_process_of_somebody_else_whose_files_are_hidden_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: OSError, is_gone: bool
) -> None:
    """/proc can be mounted so that each sees his own processes alone (hidepid)."""
    me = new_identity()
    read = Path.read_text

    def hidden(self: Path, *arguments: Any, **named: Any) -> str:
        if str(self) == f"/proc/{me.process}/stat":
            raise FileNotFoundError(2, "hidden")
        return read(self, *arguments, **named)

    def kill(process: int, number: int) -> None:
        assert (process, number) == (me.process, 0)
        raise answer

    monkeypatch.setattr(Path, "read_text", hidden)
    monkeypatch.setattr(os, "kill", kill)
    assert Watch(tmp_path).is_gone(me) == is_gone


def test_a_number_means_nothing_in_another_namespace_of_processes(tmp_path: Path, clock: Clock) -> None:
    me = new_identity()
    boot_and_space = me.machine.rpartition(" ")
    contained = me.model_copy(update={"machine": f"{boot_and_space[0]} pid:[1]", "began": "1", "worker": "contained"})
    watch = Watch(tmp_path)
    show(tmp_path, contained)
    assert not watch.is_gone(contained)  # though the process with its number began at another time


# --- processes of other machines


def test_a_process_of_another_machine_is_gone_when_nothing_has_changed_for_long_enough(
    tmp_path: Path, clock: Clock
) -> None:
    far, watch = elsewhere(), Watch(tmp_path)
    show(tmp_path, far)
    seen = []
    for _ in range(int(GONE) + 1):
        seen.append(watch.is_gone(far))
        clock.now += 1
    assert seen == [False] * int(GONE) + [True]
    show(tmp_path, far, started="later")  # it was only asleep
    assert not watch.is_gone(far)


@pytest.mark.parametrize("apart", [-YEARS, YEARS])
def test_its_clock_is_compared_with_none(tmp_path: Path, clock: Clock, apart: float) -> None:
    far, watch = elsewhere(), Watch(tmp_path)
    path = show(tmp_path, far)
    for beat in range(20):  # its clock even runs backwards
        os.utime(path, (time.time() + apart - beat, time.time() + apart - beat))
        clock.now += GONE / 4
        assert not watch.is_gone(far)
    seen = []
    for _ in range(4):
        clock.now += GONE / 4
        seen.append(watch.is_gone(far))
    assert seen == [False, False, False, True]  # counted from the last change


def test_one_whose_file_is_not_there_is_gone_as_late(tmp_path: Path, clock: Clock) -> None:
    far, watch = elsewhere(), Watch(tmp_path)
    seen = []
    for _ in range(5):
        seen.append(watch.is_gone(far))
        clock.now += GONE / 4
    assert seen == [False, False, False, False, True]


def test_a_pause_of_the_one_who_watches_is_no_silence_of_the_one_who_is_watched(tmp_path: Path, clock: Clock) -> None:
    """The file system hung for both, or this process trained for an hour."""
    far, watch = elsewhere(), Watch(tmp_path)
    show(tmp_path, far)
    assert not watch.is_gone(far)
    clock.now += 3600
    assert not watch.is_gone(far)
    show(tmp_path, far, started="now")
    clock.now += 1
    assert not watch.is_gone(far)
    seen = []
    for _ in range(3):
        clock.now += 3600
        seen.append(watch.is_gone(far))
    assert seen == [False, False, True]


def test_that_somebody_swept_its_file_is_no_sign_of_life(tmp_path: Path, clock: Clock) -> None:
    far, watch = elsewhere(), Watch(tmp_path)
    path = show(tmp_path, far)
    watch.is_gone(far)
    for _ in range(2):
        clock.now += GONE / 3
        watch.is_gone(far)
    path.unlink()
    clock.now += GONE / 3
    assert watch.is_gone(far)


def test_whether_one_is_still_there_can_be_waited_for(tmp_path: Path, clock: Clock, process: Start) -> None:
    far, child = elsewhere(), process()
    show(tmp_path, far)
    begun = clock.now
    assert not Watch(tmp_path).outlasts(far)
    assert clock.now - begun == GONE
    begun = clock.now
    clock.when_slept = [lambda: None, lambda: show(tmp_path, far, started="a beat")]
    assert Watch(tmp_path).outlasts(far)
    assert clock.now - begun == 2
    begun = clock.now
    assert Watch(tmp_path).outlasts(child.identity)
    child.kill()
    assert not Watch(tmp_path).outlasts(child.identity)
    assert clock.now == begun


# --- being there


def test_a_worker_is_seen_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    me = new_identity("mine")
    with Presence(tmp_path, me, ["cpu"], {"glue/rte": "5 epochs"}) as presence:
        (worker,) = workers_of(tmp_path)
        assert (worker.identity, worker.devices, worker.grid) == (me, ("cpu",), {"glue/rte": "5 epochs"})
        with presence.doing(["a", "b"], "cpu"):
            ((doing,),) = (worker.doing for worker in workers_of(tmp_path))
            assert (doing.cells, doing.device, doing.step) == (("a", "b"), "cpu", 0)
        with presence.doing(["c"], "cpu"):
            ((doing,),) = (worker.doing for worker in workers_of(tmp_path))
            assert doing.cells == ("c",)
    assert workers_of(tmp_path) == []
    assert list((tmp_path / "workers").iterdir()) == []


def test_the_file_says_how_far_a_group_is_with_the_next_beat(tmp_path: Path) -> None:
    with Presence(tmp_path, new_identity(), ["cpu"], {}, beat=0.01) as presence, presence.doing(["a"], "cpu"):
        presence.reached(["a"], step=3, num_steps=7, tokens_per_second=12.5, seconds_per_step=0.5)
        wait_for(lambda: workers_of(tmp_path)[0].doing[0].step == 3)
        (doing,) = workers_of(tmp_path)[0].doing
        assert (doing.step, doing.num_steps, doing.tokens_per_second) == (3, 7, 12.5)


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_to_be_alive_needs_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    me = new_identity()
    far, watch = me.model_copy(update={"machine": "another boot"}), Watch(tmp_path)
    with Presence(tmp_path, me, ["cpu"], {}, beat=0.01):
        monkeypatch.setattr(workers, "write_text", full)
        path = worker_file(tmp_path, me.worker)
        for _ in range(5):
            watch.is_gone(far)
            before = path.stat().st_mtime_ns
            wait_for(lambda before=before: path.stat().st_mtime_ns != before)  # type: ignore[misc]
            clock.now += GONE
            assert not watch.is_gone(far)


def test_a_disk_that_is_full_from_the_first_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "write_text", full)
    with pytest.raises(DiskError, match="no space left on the disk of"), Presence(tmp_path, new_identity(), [], {}):
        pass


def test_a_file_that_cannot_be_read_is_no_worker(tmp_path: Path) -> None:
    show(tmp_path, elsewhere())
    (tmp_path / "workers" / "broken.json").write_text('{"identity"')
    (tmp_path / "workers" / "other.json").write_text("[]")
    assert [worker.identity for worker in workers_of(tmp_path)] == [elsewhere()]


# --- clearing up


def test_what_the_dead_left_is_swept_and_what_the_living_write_is_not(
    tmp_path: Path, process: Start, clock: Clock
) -> None:
    dead, living, far = process().identity, process().identity, elsewhere()
    left: dict[str, list[Path]] = {}
    for owner in (dead, living, far):
        left[owner.worker] = [
            show(tmp_path, owner),
            tmp_path / "workers" / f".{owner.worker}.json.0123",
            tmp_path / "claims" / f".{owner.worker}",
            tmp_path / ".partial" / owner.worker / "cell" / "record.json",
        ]
        for path in left[owner.worker][1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(left[owner.worker][0].read_bytes())
    os.kill(dead.process, 9)
    watch = Watch(tmp_path)
    wait_for(lambda: watch.is_gone(dead))

    def swept() -> set[str]:
        watch.sweep()
        kept = {name: {path.exists() for path in paths} for name, paths in left.items()}
        assert all(len(found) == 1 for found in kept.values())
        return {name for name, found in kept.items() if found == {False}}

    assert swept() == {dead.worker}
    for _ in range(2):
        clock.now += GONE / 3
        assert swept() == {dead.worker}
    clock.now += GONE / 3
    assert swept() == {dead.worker, far.worker}
    assert [worker.identity for worker in watch.alive()] == [living]


def test_what_one_of_another_machine_was_writing_that_had_no_file_is_swept_after_a_while(
    tmp_path: Path, clock: Clock
) -> None:
    """A command that was killed while it made the folder, or noted a plan: its container is gone with it."""
    gone, living = elsewhere("far-0123abcd-7-0123abcd"), elsewhere("far-0123abcd-8-0123abcd")
    places = [tmp_path / ".partial" / who.worker for who in (gone, living)]
    for place in places:
        place.mkdir(parents=True)
    watch, seen = Watch(tmp_path), []
    for beat in range(5):
        show(tmp_path, living, started=str(beat))
        watch.sweep()
        seen.append([place.exists() for place in places])
        clock.now += GONE / 4
    assert seen == [[True, True]] * 4 + [[False, True]]


def test_a_file_that_was_never_written_to_its_end_is_swept_after_a_while(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "workers" / ".host-1-0123.json.4567"
    path.parent.mkdir()
    path.touch()
    watch, seen = Watch(tmp_path), []
    for _ in range(5):
        watch.sweep()
        seen.append(path.exists())
        clock.now += GONE / 4
    assert seen == [True, True, True, True, False]
