"""A user's file from the command line to a report, which needs neither flags nor the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench import registry
from bench.cell import Plan
from bench.execute.job import Job, declare_suites
from bench.execute.submissions import Submission, keep, read
from bench.registry import find_suite, is_declared
from bench.store.store import Store
from tests.own.mails import mails, own, write

if TYPE_CHECKING:
    from tests.conftest import Bench

SMALL = "--seeds 1 --steps 2 --batch-size 4 --max-length 24 --precision fp32 --device cpu".split()


@pytest.fixture
def small(tiny_bert: Path) -> list[str]:
    """Flags of a grid of one small cell of a user's own file."""
    return ["--data", "mails.csv", "--models", str(tiny_bert), "--methods", "ptv2", "--out", "mine", *SMALL]


def test_a_file_is_run_and_reported_without_it(bench: Bench, small: list[str], tmp_path: Path) -> None:
    data = write(tmp_path / "mails.csv", mails(30))
    code, out, _ = bench("run", *small)
    assert code == 0
    assert out.splitlines()[:2] == [
        "mails: classification of 'body': the class in 'team'; press 8, sales 8, support 8 in train",
        "  train 24, scored on dev 6: 20 % of mails.csv, by label, equal texts together, seed 0",
    ]
    data.unlink()
    registry._SUITES.pop("mails")  # as in another process
    (record,) = Store.open(Path("mine")).records()
    assert (record.cell.suite, record.cell.task, record.cell.data_path) == ("mails", "mails", str(tmp_path))
    assert set(record.scores) == {"accuracy", "macro_f1"}
    code, out, err = bench("report", "mine", "--format", "md")
    assert (code, "mails accuracy" in out) == (0, True), err
    assert "1 cell: 1 done" in bench("status", "mine")[1]


def test_the_same_cell_is_not_run_again_from_another_folder(bench: Bench, small: list[str], tmp_path: Path) -> None:
    write(tmp_path / "mails.csv", mails(30))
    assert bench("run", *small)[0] == 0
    moved = write(tmp_path / "elsewhere" / "mails.csv", mails(30))
    assert "1 cells: 1 methods × 1 tasks × 1 models × 1 seeds; 0 to run" in bench("run", *small, "--data", moved)[1]


def test_a_plan_shows_what_was_understood_and_check_reads_it(bench: Bench, small: list[str], tmp_path: Path) -> None:
    write(tmp_path / "mails.csv", mails(30))
    assert "classification of 'body'" in bench("run", *small, "--plan", "--no-probe")[1]
    assert "local: mails.csv" in bench("list", "tasks")[1]  # as a notebook's process would, where it is known
    code, out, _ = bench("check", "--data", "mails.csv")
    assert code == 0
    assert "classification of 'body'" in out
    assert "data of mails: train: 24 examples" in out
    (tmp_path / "mails.toml").write_text('data = "mails.csv"\n')
    assert "data of mails: dev: 6 examples" in bench("check", "--tasks", "mails.toml")[1]


def test_a_wrong_column_is_one_line(bench: Bench, small: list[str], tmp_path: Path) -> None:
    write(tmp_path / "mails.csv", mails(30))
    said = bench.refusal(*bench("run", *small, "--label", "taem"))
    assert said == "error: mails.csv has no column 'taem'; did you mean 'team'? it has 'body', 'team'"


def test_a_job_on_another_machine_brings_the_suite_along(tmp_path: Path) -> None:
    found = own(write(tmp_path / "mails.csv", mails(30)))
    job = Job(Plan(()), tmp_path, "run", 8, suites=(found.suite,))
    keep(Submission(job, "cpu", 0, "slurm", ()))
    registry._SUITES.pop("mails")
    declare_suites(read(tmp_path, "run").job)
    assert find_suite("mails") == found.suite
    assert is_declared("mails")


@pytest.mark.slow
def test_processes_of_a_pool_know_the_suite(bench: Bench, small: list[str], tmp_path: Path) -> None:
    write(tmp_path / "mails.csv", mails(30))
    code, _, err = bench("run", *small, "--seeds", "2", "--device", "cpu:2")
    assert code == 0, err
    assert len(list(Store.open(Path("mine")).records())) == 2
