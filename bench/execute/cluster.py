"""A Ray cluster: the connection, what workers it has room for, and the actors that are workers there."""

from __future__ import annotations

import logging
import os
import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import ray
import torch
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bench.cell import AskedPrecision, Plan, Precision
from bench.errors import UsageError
from bench.execute.gate import OURS, Facts, facts_of, gate
from bench.execute.job import Job
from bench.execute.outpost import Errand
from bench.execute.shapes import shapes
from bench.model.proof import Proof, adopt_proof
from bench.model.proofs import proofs_of
from bench.model.source import ModelSource
from bench.model.trust import is_trusted

ANSWER = 5.0  # seconds for an address to answer; Ray itself would try for minutes, and then end the process
PATIENCE = 15.0  # seconds after which the user is told what is waited for
HANDED_ON = (
    "HF_HUB_OFFLINE", "HF_ENDPOINT", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM",
)  # fmt: skip
CACHE = "TUNING_BENCH_CACHE"  # a place: a node that has one of its own keeps it


@dataclass
class Hired:
    """An actor, and its answer that is awaited: at first its facts."""

    actor: Any
    answer: Any


class Cluster:
    """The connection to a cluster, from `with` on, and the actors that one command has there.

    `say` gets a line that the user should read. `devices` has one for each worker: which kind, torch here need not have
    it.
    """

    devices: list[torch.device]
    has_bf16: bool
    is_here = False

    def __init__(self, address: str | None, devices: str, say: Callable[[str], None]) -> None:
        self._address = address or "auto"
        self._asked, self._say = devices, say
        self._connected = False
        self._actors: list[Any] = []
        self.first: tuple[Hired, Facts] | None = None  # the actor that was asked what the others are like

    def __enter__(self) -> Self:
        """Connect, and have a first worker. UsageError where there is no Ray, or another tuning-bench."""
        try:
            self._connect()
            alive = [node for node in ray.nodes() if node["Alive"]]
            resources = [node["Resources"] for node in alive]
            self._shapes = shapes(resources, [node["NodeID"] for node in alive], self._asked)
            kind = "cuda" if self._shapes[0].num_gpus else "cpu"
            self.devices = [torch.device(kind)] * len(self._shapes)
            hired = self.hire(0)
            facts = self._first_answer(hired)
            self.has_bf16, self.first = facts.has_bf16, (hired, facts)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End what works there for this command, and a connection that was made for it."""
        try:
            for actor in self._actors:
                self.dismiss(actor)
        finally:
            if self._connected:
                ray.shutdown()

    @property
    def seats(self) -> list[tuple[torch.device, ...]]:
        return [(device,) for device in self.devices]

    def notes(self, precision: Precision) -> Iterable[str]:
        """Nothing: a node's processor is not this one."""
        return ()

    def precision(self, asked: AskedPrecision) -> Precision:
        """The precision of a request; `auto` is what the first worker's device multiplies in hardware."""
        if asked == "auto":
            return "bf16" if self.has_bf16 else "fp32"
        return asked

    def proofs_of(self, models: Sequence[ModelSource], fetch: bool) -> dict[str, Proof]:
        """As bench.model.proofs.proofs_of, made by the first worker on its device; a model that its node does not have
        is proved here. This process goes by them.
        """
        assert self.first is not None
        hired, facts = self.first
        unique = list(dict.fromkeys(models))
        try:
            asked = hired.actor.prove.remote([model.path for model in unique], str(facts.device), fetch, is_trusted())
            found = ray.get(asked)
        except RayError as error:
            raise UsageError(f"node {facts.host} of the Ray cluster: {brief(error)}") from None
        missing = [model for model in unique if model.fingerprint not in found]
        proofs: dict[str, Proof] = found | proofs_of(missing, torch.device("cpu"), fetch)
        for fingerprint, proof in found.items():
            adopt_proof(fingerprint, facts.device.type, proof)
        return proofs

    def _connect(self) -> None:
        if ray.is_initialized():  # a notebook's own connection
            return
        address = os.environ.get("RAY_ADDRESS") or "auto" if self._address == "auto" else self._address
        if address not in ("auto", "local"):
            check_answers(address)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # of a dozen kinds, for a cluster that is not there or is of another version
            hint = "; start one with `ray start --head`" if address == "auto" else ""
            raise UsageError(f"--address {address}: {brief(error)}{hint}") from None
        self._connected = True

    def hire(self, number: int) -> Hired:
        """Start the actor of a worker, by its number; its first answer is awaited."""
        shape = self._shapes[number]
        environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        strategy = NodeAffinitySchedulingStrategy(shape.node, soft=True) if shape.node else "SPREAD"
        actor: Any = (
            ray.remote(gate())
            .options(
                num_gpus=shape.num_gpus, num_cpus=shape.num_cpus, scheduling_strategy=strategy, max_restarts=0,
                runtime_env={"env_vars": environment},
            )
            .remote()
        )  # fmt: skip
        self._actors.append(actor)
        return Hired(actor, actor.arrive.remote(OURS, self.devices[number].type, os.environ.get(CACHE)))

    def _first_answer(self, hired: Hired) -> Facts:
        ready, _ = ray.wait([hired.answer], timeout=PATIENCE)
        if not ready:
            name = "GPU" if self.devices[0].type == "cuda" else "CPU"
            free = f"{ray.available_resources().get(name, 0):g} of {ray.cluster_resources().get(name, 0):g} {name}s"
            self._say(f"waiting for a worker to start on the Ray cluster; beside it {free} are free")
        try:
            return facts_of(ray.get(hired.answer))
        except RayError as error:
            raise UsageError(f"no worker starts on the Ray cluster: {brief(error)}") from None

    def dismiss(self, actor: Any) -> None:
        """End an actor that is there or may be."""
        try:
            ray.kill(actor)
        except Exception:  # gone before, as the connection may be
            return


def check_answers(address: str) -> None:
    """UsageError where nothing that speaks Ray's protocol, gRPC, answers at HOST:PORT or ray://HOST:PORT."""
    place = address.removeprefix("ray://").partition("/")[0]
    host, _, port = place.rpartition(":")
    if not (host and port.isdecimal()):
        raise UsageError(
            f"--address {address}: the form is HOST:PORT or ray://HOST:PORT, or auto on a node of the cluster"
        )
    if os.environ.get("RAY_USE_TLS", "0") == "1":
        return  # a plain channel would not be answered
    import grpc

    with grpc.insecure_channel(place, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=ANSWER)
        except grpc.FutureTimeoutError:
            raise UsageError(
                f"--address {address}: no Ray answers there; `ray status` on a node says where it is"
            ) from None


def errand_of(job: Job, host: str) -> Errand:
    """What an actor is given to begin with."""
    plugins = {path: path.read_text(encoding="utf-8") for path in job.plugins}
    lean = replace(job, plan=Plan(()), folder=Path(), failures={}, plugins=())
    return Errand(lean, plugins, host)


def brief(error: BaseException) -> str:
    """What an error of Ray says, in a line without its advice."""
    error = getattr(error, "cause", None) or error  # of what an actor raised, Ray tells the whole way
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    line = next((line for line in lines if "because" in line), lines[-1] if lines[0].endswith(":") else lines[0])
    line = line.partition(" Some common causes")[0].partition(" There are some potential")[0]
    return textwrap.shorten(line.rstrip("."), 240, placeholder=" …")
