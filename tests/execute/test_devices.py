"""Which devices each worker has, and what several on one come to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.errors import UsageError
from bench.execute.devices import chosen_devices, most_on_one, seats_of, sharing_gpu
from bench.execute.pool import Pool
from bench.store.provenance import asked_by, provenance
from bench.store.store import Store
from tests.conftest import Bench


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("text", "numbers", "workers"),
    [("all", [0, 1], [1, 1]), ("1", [1], [1]), ("cuda:1,0", [1, 0], [1, 1]), ("0,0,0", [0, 0, 0], [3, 3, 3]),
     ("0,0,1,1", [0, 1, 0, 1], [2, 2, 2, 2]), ("1,0,1", [1, 0, 1], [2, 1, 2])],
)  # fmt: skip
def test_a_gpu_named_twice_has_two_workers_and_every_gpu_one_before(
    text: str, numbers: list[int], workers: list[int]
) -> None:
    devices = chosen_devices(text)
    assert devices == [torch.device("cuda", number) for number in numbers]
    seats = seats_of(devices, 1)
    assert (sharing_gpu(seats), most_on_one(seats)) == (workers, max(workers))


@pytest.mark.usefixtures("two_gpus")
def test_a_model_is_divided_over_different_gpus() -> None:
    assert most_on_one(seats_of(chosen_devices("0,1"), 2)) == 1
    with pytest.raises(UsageError, match=r"--shard 2 divides a model over different GPUs; name each of --devices once"):
        seats_of(chosen_devices("0,0"), 2)


def test_a_record_says_that_its_worker_shared_a_gpu() -> None:
    assert "workers" not in provenance("a GPU")
    with asked_by(["bench", "run"], 3):
        assert provenance("a GPU")["workers"] == 3
    assert sharing_gpu(seats_of(chosen_devices("cpu:3"), 1)) == [1, 1, 1]  # how many threads each has is told


def test_workers_on_the_processor_share_its_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would fit alone; nothing is loaded or written, and one worker runs."""
    monkeypatch.setattr("bench.train.memory.available_bytes", lambda device: 30_000_000)
    monkeypatch.setattr(Pool, "run", lambda self: pytest.fail("started"))
    said = bench.refuses("--devices", "cpu:200", "--seeds", "200")
    assert "GB of cpu can be used by each of 200 workers; give fewer workers in --devices, " in said
    assert bench.run("--devices", "cpu")[0] == 0


@pytest.mark.gpu
def test_two_workers_on_a_gpu_come_to_what_one_does(bench: Bench) -> None:
    for out, devices in (("one", "0"), ("two", "0,0")):
        assert bench.run("--devices", devices, "--seeds", "4", "--lanes", "1", "--out", out)[0] == 0
    one, two = (Store.open(Path(out)) for out in ("one", "two"))
    assert {record.id: record.scores for record in one.records()} == {rec.id: rec.scores for rec in two.records()}
    assert {record.provenance.get("workers") for record in two.records()} == {2}
    for file in one.path.glob("cells/*/predictions.parquet"):
        assert file.read_bytes() == (two.path / file.relative_to(one.path)).read_bytes()
