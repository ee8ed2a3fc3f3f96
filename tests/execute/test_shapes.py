"""How many workers a cluster has, what each asks for, and what is no cluster's: no Ray is needed to say it."""

from __future__ import annotations

import pytest

from bench.errors import UsageError
from bench.execute.gate import OURS, facts_of, gate
from bench.execute.shapes import Shape, shapes
from tests.conftest import Bench

GPUS = [{"CPU": 16.0, "GPU": 4.0}, {"CPU": 4.0}, {"CPU": 8.0, "GPU": 2.0}]
PROCESSORS = [{"CPU": 3.0}, {}, {"CPU": 4.0}]


def of(nodes: list[dict[str, float]], asked: str) -> list[Shape]:
    return shapes(nodes, [f"node{number}" for number in range(len(nodes))], asked)


@pytest.mark.parametrize("asked", ["auto", "all", "cuda"])
def test_a_worker_for_each_gpu(asked: str) -> None:
    assert of(GPUS, asked) == [Shape(num_gpus=1, num_cpus=1)] * 6


@pytest.mark.parametrize(("nodes", "asked"), [(PROCESSORS, "all"), (PROCESSORS, "cpu"), (PROCESSORS, "auto")])
def test_without_gpus_a_worker_for_each_node_with_all_its_processors(nodes: list[dict[str, float]], asked: str) -> None:
    assert of(nodes, asked) == [Shape(0, 3, "node0"), Shape(0, 4, "node2")]


def test_processors_of_a_cluster_with_gpus_when_they_are_asked_for() -> None:
    assert of(GPUS, "cpu") == [Shape(0, 16, "node0"), Shape(0, 4, "node1"), Shape(0, 8, "node2")]


@pytest.mark.parametrize(("count", "share"), [(1, 4), (2, 3), (3, 2), (4, 1), (7, 1), (14, 0.5), (20, 0.3333)])
def test_so_many_workers_share_the_processors_so_that_all_have_room(count: int, share: float) -> None:
    assert of(PROCESSORS, f"cpu:{count}") == [Shape(0, share)] * count
    assert sum(int(node.get("CPU", 0) / share) for node in PROCESSORS) >= count


@pytest.mark.parametrize(
    ("nodes", "asked", "line"),
    [
        (GPUS, "0,2", "--devices 0,2: with --executor ray, Ray chooses the GPUs"),
        (PROCESSORS, "cuda", "--devices cuda: the Ray cluster has no GPU"),
        ([{}], "all", "the Ray cluster has no processors to give"),
    ],
)
def test_what_a_cluster_cannot_give(nodes: list[dict[str, float]], asked: str, line: str) -> None:
    with pytest.raises(UsageError) as refusal:
        of(nodes, asked)
    assert str(refusal.value).startswith(line)


def test_a_node_with_the_same_is_taken() -> None:
    facts = facts_of(gate()().arrive(OURS, "cpu", None))
    assert facts.device.type == "cpu"
    assert facts.host


@pytest.mark.parametrize(
    ("version", "lacks", "line"),
    [
        ("0.0.1, results version 1", "", f" has tuning-bench 0.0.1, results version 1, here is {OURS};"),
        (None, "No module named 'bench'", f" has no tuning-bench (No module named 'bench'), here is {OURS};"),
        (OURS, "no GPU", ": no GPU"),
    ],
)
def test_a_node_with_another_one_is_named(version: str | None, lacks: str, line: str) -> None:
    with pytest.raises(UsageError) as refusal:
        facts_of({"host": "far", "version": version, "lacks": lacks})
    assert str(refusal.value).startswith(f"node far of the Ray cluster{line}")


def test_a_node_of_another_version_is_asked_for_no_more() -> None:
    assert sorted(gate()().arrive("another one", "cpu", None)) == ["host", "lacks", "version"]


def test_ray_that_is_not_installed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.commands.run.is_installed", lambda name: False)
    assert bench.refuses("--executor", "ray") == (
        "error: --executor ray: Ray is not installed; pip install 'tuning-bench[ray]'"
    )


def test_an_address_without_ray(bench: Bench) -> None:
    assert bench.refuses("--address", "auto") == "error: --address auto: it is Ray's; give --executor ray too"


def test_an_executor_that_is_none(bench: Bench) -> None:
    assert bench.refuses("--executor", "rey").startswith("error: unknown executor 'rey'; did you mean 'ray'?")
