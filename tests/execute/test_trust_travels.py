"""Whether models run code that they bring goes with a job to whoever trains it, and no further."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.commands import array
from bench.execute import outpost
from bench.execute.job import Job
from bench.execute.submissions import Submission, keep, read
from bench.model.trust import is_trusted, trusting
from bench.store.store import Store
from bench.train import team
from bench.train.groups import Group
from bench.train.options import Options
from bench.train.team import Team
from tests.conftest import Quiet
from tests.execute.far_worker import job_of, outpost_of, words_of

pytestmark = pytest.mark.parametrize("trusts", [True, False])


@pytest.fixture
def job(workshop, tmp_path: Path) -> Callable[[bool], Job]:
    def make(trusts: bool) -> Job:
        return replace(job_of(tmp_path / "out", workshop.cells("ptv2")), trust_remote_code=trusts)

    return make


def test_to_a_worker_without_the_folder(job, trusts: bool, monkeypatch) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(outpost.Inputs, "check", lambda *_: seen.append(is_trusted()))
    monkeypatch.setattr(outpost.Runner, "run", lambda *_: seen.append(is_trusted()))
    asked = job(trusts)
    words_of(outpost_of(asked), list(asked.plan.cells))
    assert seen == [trusts, trusts]


def test_to_a_job_of_an_array(job, trusts: bool, monkeypatch) -> None:
    asked = job(trusts)
    keep(Submission(asked, "cpu", 0, "local", ()))
    assert read(asked.folder, asked.run).job.trust_remote_code is trusts
    seen: list[bool] = []
    monkeypatch.setattr(array, "run_job", lambda *_: seen.append(is_trusted()) or [])
    array.ArrayTask(str(asked.folder), asked.run)()
    assert (seen, is_trusted()) == ([trusts], False)


def test_to_the_processes_of_a_team(job, trusts: bool, monkeypatch) -> None:
    said: list[dict] = []

    class Stop(Exception):
        pass

    class Member:
        def __init__(self, *_: object) -> None: ...

        def send(self, message: dict) -> None:
            said.append(message)
            raise Stop

        def end(self) -> None: ...

    monkeypatch.setattr(team, "_Member", Member)
    cpu = torch.device("cpu")
    group = Group((), shared=False)
    with trusting(trusts), pytest.raises(Stop):
        next(Team(Options(cpu, 1, others=(cpu,)), Store.open(job(trusts).folder), Quiet()).measure(group))
    assert said[0]["trusts"] is trusts
