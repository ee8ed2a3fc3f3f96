"""`--executor slurm`: what SLURM is given, what its jobs do, and what a second run makes of what is left."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bench.commands.array import Log
from bench.execute.submissions import keep, read
from bench.store.store import Store
from tests.execute.slurm_cluster import Cluster, results, run_job

pytest.importorskip("submitit")
Bench = Any
SLURM = ["--executor", "slurm"]


def queue(*pairs: str) -> list[str]:
    return [*SLURM, *(part for pair in pairs for part in ("--slurm", pair))]


# --- what SLURM is given

ASKED = [
    "--device", "all", "--seeds", "4",
    *queue("partition=gpu", "time=2:00:00", "gpus=a100:1", "array=3", "account=team", "mem=64G"),
    *queue("sbatch.reservation=night", "sbatch.exclusive=true"),
]  # fmt: skip


def test_a_dry_run_prints_the_script_to_the_letter_and_writes_nothing(bench: Bench, cluster: Cluster) -> None:
    code, out, _ = bench.run(*ASKED, "--dry-run")
    assert (code, cluster.num_submitted, Path("out").exists()) == (0, 0, False)
    assert "would submit 3 jobs to partition gpu, each with a100:1 GPU for 2:00:00\n#!/bin/bash\n" in out
    assert bench.run(*ASKED)[0] == 0
    assert cluster.num_submitted == 1
    assert out.endswith(f"#!/bin/bash{cluster.got('script').removeprefix('#!/bin/bash')}\n")


def test_the_script_asks_for_what_was_said(bench: Bench, cluster: Cluster, tmp_path: Path) -> None:
    assert bench.run(*ASKED)[0] == 0
    lines = cluster.got("script").splitlines()
    logs = tmp_path / "out" / "slurm" / "%A_%a_0_log"
    options = sorted(line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH"))
    assert options == [
        "account=team", "array=0-2%3", f"error={logs}.err", "exclusive", "gpus-per-node=a100:1", "job-name=bench-out",
        "mem=64G", "nodes=1", "ntasks-per-node=1", "open-mode=append", f"output={logs}.out", "partition=gpu",
        "reservation=night", "signal=USR2@90", "time=120", "wckey=submitit",
    ]  # fmt: skip
    assert lines[-1].startswith("srun ")
    assert lines[-1].endswith(f"{sys.executable} -u -m submitit.core._submit {tmp_path / 'out' / 'slurm'}")


def test_the_user_is_told_where_the_jobs_are_and_what_comes_next(bench: Bench, cluster: Cluster) -> None:
    code, out, _ = bench.run(*ASKED)
    assert (code, out.splitlines()[-4:]) == (
        0,
        [
            "submitted 3 jobs to partition gpu, each with a100:1 GPU for 2:00:00: 4711_0, 4711_1, 4711_2",
            "what they say: out/slurm/4711_0_0_log.out and so on",
            "how far they are: bench status out",
            "when they are over, the same command looks after what they have left",
        ],
    )
    assert [cell.seed for cell in Store.open(Path("out")).planned()] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("time", "minutes"), [("90", 90), ("1:30:00", 90), ("0:00:01", 1), ("2-00:30:00", 2910), ("01:00:59", 61)]
)
def test_a_time_is_what_sbatch_takes_it_for(bench: Bench, cluster: Cluster, time: str, minutes: int) -> None:
    assert bench.run(*queue(f"time={time}"))[0] == 0
    assert f"#SBATCH --time={minutes}\n" in cluster.got("script")


def test_a_grid_file_says_the_same(bench: Bench, cluster: Cluster) -> None:
    Path("grid.toml").write_text(
        'executor = "slurm"\n[slurm]\npartition = "cpu"\ntime = 30\narray = 2\n[slurm.sbatch]\nnice = 100\n'
    )
    assert bench.run("--config", "grid.toml", "--seeds", "2", "--slurm", "time=40")[0] == 0
    given = cluster.got("script")
    assert all(f"#SBATCH --{each}\n" in given for each in ("partition=cpu", "time=40", "array=0-1%2", "nice=100"))
    assert "gpus" not in given  # --device cpu


def test_no_more_jobs_than_cells_are_left(bench: Bench, cluster: Cluster) -> None:
    assert bench.run("--seeds", "3")[0] == 0
    assert bench.run(*queue("array=4"), "--seeds", "4")[0] == 0
    assert "--array" not in cluster.got("script")
    code, out, _ = bench.run(*queue("array=4"), "--seeds", "4", "--dry-run")
    assert (code, "would submit 1 job, with no GPU for 1:00:00" in out) == (0, True)


# --- what cannot be asked

WRONG = {
    "gpu=1": "unknown key of --slurm 'gpu'; did you mean 'gpus'? known: account, array, cluster, "
    "constraint, cpus, gpus, mem, partition, qos, time. What else sbatch takes is written sbatch.NAME=VALUE.",
    "time=2:00": "--slurm time=2:00 is not possible: use minutes (90), hours:minutes:seconds (1:30:00) or",
    "time=0": "--slurm time=0 is not possible: it must be a minute or more",
    "gpus=all": "--slurm gpus=all is not possible: use a number, or a kind of GPU and a number, like a100:2",
    "mem=64": "--slurm mem=64 is not possible: use a number with its unit, like 64G",
    "array=0": "--slurm array=0 is not possible: it must be a number, at least 1",
    "cluster=debug": "--slurm cluster=debug is not possible: use slurm, or local to try it on this machine",
    "partition": "--slurm 'partition': the form is KEY=VALUE, like partition=gpu",
    "sbatch.time=5": "--slurm sbatch.time=5: write it without sbatch.",
    "sbatch.output=x": "--slurm sbatch.output=x: it is set for you",
    "array=2": "--slurm array=2: 2 workers are more than the 1 cells of this grid; use array=1 or fewer",
}


@pytest.mark.parametrize("pair", WRONG)
def test_a_wrong_key_or_value_is_one_line(bench: Bench, cluster: Cluster, pair: str) -> None:
    assert WRONG[pair] in bench.refuses(*queue(pair))
    assert (Path("out").exists(), cluster.num_submitted) == (False, 0)


REFUSED = {
    "a queue without its executor": (["--slurm", "partition=gpu"], "--slurm says how jobs are submitted; add --exec"),
    "a dry run without a queue": (["--dry-run"], "--dry-run shows what --executor slurm would submit; --plan shows"),
    "a precision of another machine": ([*SLURM, "--precision", "auto"], "--precision auto: this machine cannot tell"),
    "GPUs by number": ([*SLURM, "--device", "0"], "--devices 0: a job uses all GPUs that SLURM gives it; leave"),
    "an unknown executor": (["--executor", "slum"], "unknown executor 'slum'; did you mean 'slurm'?"),
}


@pytest.mark.parametrize(("flags", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_go_together_is_one_line(bench: Bench, cluster: Cluster, flags: list[str], message: str) -> None:
    assert message in bench.refuses(*flags)
    assert (Path("out").exists(), cluster.num_submitted) == (False, 0)


def test_a_machine_without_sbatch_is_told_and_a_plan_needs_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for flags in ([], ["--dry-run"], ["--precision", "auto"]):
        said = bench.refuses(*SLURM, *flags)
        assert "--executor slurm: there is no sbatch on this machine" in said
        assert said.endswith("or try it on this machine with --slurm cluster=local")
    assert not Path("out").exists()
    assert bench.run(*SLURM, "--plan")[0] == 0


def test_without_submitit_the_line_says_how_to_install_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert "needs the package submitit: pip install 'tuning-bench[slurm]'" in bench.refuses(*SLURM)
    assert not Path("out").exists()


def test_what_sbatch_refuses_leaves_nothing_behind(bench: Bench, cluster: Cluster) -> None:
    cluster.put("refusal", "sbatch: error: Batch job submission failed: Invalid partition name specified\n")
    flags = [*queue("partition=none", "array=2"), "--seeds", "2"]
    said = bench.refuses(*flags)
    assert "the jobs were not submitted: " in said
    assert "Invalid partition name specified" in said
    assert not Path("out").exists()
    assert bench.run("--seeds", "1")[0] == 0
    before = sorted(Path("out").rglob("*"))
    bench.refuses(*flags)
    assert sorted(Path("out").rglob("*")) == before


# --- what the jobs do


def test_jobs_of_an_array_do_every_cell_once_and_the_same_to_the_bit(bench: Bench, cluster: Cluster) -> None:
    grid = ["--methods", "ptv2,finetune,prompting", "--trials", "2", "--seeds", "2"]
    assert bench.run(*grid, "--out", "plain")[0] == 0
    assert bench.run(*grid, *queue("array=2"))[0] == 0
    command = ("bench", *sys.argv[1:])
    assert [run_job(f"4711_{index}", Path("out/slurm")) for index in range(2)] == [0, 0]
    assert results("out") == results("plain")
    records = Store.open(Path("out")).records()
    assert {tuple(record.provenance["command"]) for record in records} == {command}
    assert [list(Path("out").glob(part)) for part in ("claims/*", "workers/*", ".partial/*")] == [[], [], []]
    code, out, _ = bench.run(*grid, *queue("array=2"))
    assert (code, "0 cells written to out" in out, cluster.num_submitted) == (0, True, 1)


def test_a_job_goes_by_the_plan_that_it_was_given(bench: Bench, cluster: Cluster) -> None:
    assert bench.run(*queue("array=1"), "--compile", "auto")[0] == 0
    (path,) = Path("out/slurm").glob("*.json")
    submission = read(Path("out"), path.stem)
    assert submission.job.plan.cells == tuple(Store.open(Path("out")).planned())
    assert (submission.job.run, submission.job.workers, submission.job.max_lanes) == (path.stem, 1, 8)
    before = path.read_text()
    keep(submission)
    assert path.read_text() == before


def test_a_place_that_needs_two_words_comes_back(bench: Bench, cluster: Cluster) -> None:
    """Tokens and earlier decisions go by a model's path, which may have commas, and a precision."""
    assert bench.run(*queue("array=1"))[0] == 0
    (path,) = Path("out/slurm").glob("*.json")
    submission = read(Path("out"), path.stem)
    object.__setattr__(submission.job, "tokens", {("a,b", "bf16"): 7})
    object.__setattr__(submission.job, "compiled", {("a,b", "bf16"): True})
    keep(submission)
    assert read(Path("out"), path.stem) == submission


def test_a_node_without_the_gpu_says_so_and_trains_nothing(
    bench: Bench, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.run(*queue("gpus=1"), "--device", "all")[0] == 0
    assert run_job("4711", Path("out/slurm")) == 2
    assert "error: torch sees 0 GPUs on " in capsys.readouterr().err
    assert not Path("out/cells").exists()


def test_a_cell_that_fails_is_a_record_and_the_job_ends_with_1(
    bench: Bench, cluster: Cluster, monkeypatch: Any
) -> None:
    assert bench.run(*SLURM, "--seeds", "2")[0] == 0

    def break_down(self: Log, progress: Any) -> None:
        if progress.lanes[0].cell.seed == 1:
            raise RuntimeError("no luck")

    monkeypatch.setattr(Log, "step", break_down)
    assert bench.run(*SLURM, "--seeds", "2", "--lanes", "1")[0] == 0
    assert run_job("4712", Path("out/slurm")) == 1
    found = {record.cell.seed: record.status for record in Store.open(Path("out")).records()}
    assert found == {0: "done", 1: "failed"}
