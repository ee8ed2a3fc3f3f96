"""A grid on a Ray cluster of two nodes, which share no folder with the driver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.execute.gate import gate
from bench.store.store import Store
from tests.conftest import Bench
from tests.execute.test_deputy import is_empty, numbers

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow

NODES = """
import sys, time
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder and home of the nodes."""
    return tmp_path_factory.mktemp("nodes")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Of a cluster whose processes have a working folder, a cache and a home of their own."""
    own = {"TUNING_BENCH_CACHE": str(folder / "cache"), "HOME": str(folder), "RAY_AUTH_MODE": "disabled"}
    environment = {**os.environ, **own, "PYTHONPATH": os.pathsep.join(sys.path), "RAY_USAGE_STATS_ENABLED": "0"}
    nodes = subprocess.Popen(
        [sys.executable, "-c", NODES], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert nodes.stdout is not None
    os.environ["RAY_AUTH_MODE"] = "disabled"
    yield nodes.stdout.readline().strip()
    nodes.communicate()
    del os.environ["RAY_AUTH_MODE"]


GRID = ("--methods", "ptv2,finetune", "--seeds", "2")


def actors() -> list[psutil.Process]:
    """The processes of workers."""
    every = psutil.process_iter(["cmdline"])
    return [process for process in every if "".join(process.info["cmdline"] or []).startswith("ray::Worker")]


def test_a_grid_has_the_numbers_of_a_plain_run(bench: Bench, address: str, folder: Path) -> None:
    assert bench.run(*GRID, "--out", "near")[0] == 0
    code, out, _ = bench.run(*GRID, "--out", "far", "--executor", "ray", "--address", address)
    assert (code, "4 cells written to far" in out) == (0, True)
    assert numbers(Path("far")) == numbers(Path("near"))
    assert is_empty(Path("far"))
    assert (folder / "cache").is_dir()  # the nodes have proved the model, and encoded the texts, for themselves
    records = [json.loads(path.read_text()) for path in Path("far").glob("cells/*/record.json")]
    assert {tuple(record["provenance"]["command"][-2:]) for record in records} == {("--address", address)}
    code, out, _ = bench.run(*GRID, "--out", "far", "--executor", "ray", "--address", address)
    assert (code, "0 cells written to far" in out) == (0, True)


def test_trials_choose_on_a_cluster_as_they_do_here(bench: Bench, address: str) -> None:
    trials = ("--trials", "2", "--methods", "ptv2")
    assert bench.run(*trials, "--out", "near")[0] == 0
    assert bench.run(*trials, "--out", "far", "--executor", "ray", "--address", address)[0] == 0
    assert sorted(Store(Path("far")).done()) == sorted(Store(Path("near")).done())


def test_a_worker_that_is_killed_costs_no_cell(bench: Bench, address: str, tmp_path: Path) -> None:
    long = ("--steps", "3000")  # beside the two seconds between two notes of a worker
    command = [sys.executable, "-m", "bench", "run", *bench.base, *GRID, *long]
    driver = subprocess.Popen([*command, "--executor", "ray", "--address", address], cwd=tmp_path, stdout=-1, text=True)
    while not any('"step": 0' not in path.read_text() for path in (tmp_path / "out").glob("workers/*.json")):
        assert driver.poll() is None
        time.sleep(0.2)
    actors()[0].send_signal(signal.SIGKILL)
    out, _ = driver.communicate()
    assert (driver.returncode, "another one takes over" in out) == (0, True), out
    assert [record.status for record in Store(tmp_path / "out").records()] == ["done"] * 4
    assert is_empty(tmp_path / "out")


def test_ctrl_c_frees_what_is_claimed_and_ends_the_workers(bench: Bench, address: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "run", *bench.base, "--steps", "100000"]
    driver = subprocess.Popen([*command, "--executor", "ray", "--address", address], cwd=tmp_path)
    while not list((tmp_path / "out").glob("claims/*.0")):
        assert driver.poll() is None
        time.sleep(0.2)
    driver.send_signal(signal.SIGINT)
    assert driver.wait() == 130
    assert is_empty(tmp_path / "out")
    while actors():  # Ray ends them on its own time
        time.sleep(0.2)


@pytest.mark.parametrize("place", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_no_ray_at_the_address(bench: Bench, place: str) -> None:
    line = bench.refuses("--executor", "ray", "--address", place)
    assert line.startswith(f"error: --address {place}: no Ray answers there;")
    assert not Path("out").exists()


def test_no_ray_on_this_machine_and_an_address_that_is_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert bench.refuses("--executor", "ray").startswith("error: --address 127.0.0.1:1: no Ray answers there;")
    line = bench.refuses("--executor", "ray", "--address", "somewhere")
    assert line.startswith("error: --address somewhere: the form is HOST:PORT")


def test_a_node_without_the_package_says_so() -> None:
    """The class that starts there is sent whole, and can be read where nothing of this package is."""
    sent = ray.cloudpickle.dumps(gate())
    code = (
        "import sys; sys.modules['bench'] = None; import ray\n"
        "worker = ray.cloudpickle.loads(sys.stdin.buffer.read())()\n"
        "said = worker.arrive('', 'cpu', None); print(said['version'], '|', said['lacks'])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], input=sent, stdout=-1, env=environment, check=True)
    assert done.stdout.decode().startswith("None | ")
    assert "bench" in done.stdout.decode()


def test_more_workers_than_cells(bench: Bench, address: str) -> None:
    line = bench.refuses("--executor", "ray", "--address", address, "--devices", "cpu:9")
    assert line.startswith("error: --devices cpu:9: 9 workers are more than the 1 cells of this grid;")
