"""Worlds in which the same grid is run: what differs from one to another, and what is promised of its numbers there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Promise = Literal["bits", "tolerance"]
How = Literal["plain", "interrupted", "in parts"]


@dataclass(frozen=True)
class World:
    """How a grid is run. `bits`: every cell has those of the first world; `tolerance`: it may round otherwise.

    `placed`: where model and data lie; `warm`: with the token cache, and the proof, that earlier worlds have filled;
    `turned`: methods, tasks and seeds are named in the other order; `starved`: no memory is free for states.
    """

    name: str
    promise: Promise = "bits"
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    placed: Literal["here", "moved", "linked"] = "here"
    warm: bool = False
    turned: bool = False
    starved: bool = False
    how: How = "plain"
    umask: int = 0o022


FIRST = World("first", environment={"PYTHONHASHSEED": "0"})
SAME = (
    World("other hash seed, cold cache", environment={"PYTHONHASHSEED": "4242"}),
    World("warm cache", warm=True, environment={"PYTHONHASHSEED": "7"}),
    World("moved", placed="moved"),
    World("linked", placed="linked", warm=True),
    World("one lane", flags=("--lanes", "1"), warm=True),
    World("three lanes", flags=("--lanes", "3"), warm=True),
    World("two workers", flags=("--devices", "cpu:2"), warm=True),
    World("other order", turned=True, warm=True),
    World("other order, three lanes", turned=True, flags=("--lanes", "3"), warm=True),
    World("interrupted", how="interrupted", flags=("--lanes", "3"), warm=True),
    World("in parts", how="in parts", warm=True),
    World("little memory", starved=True, warm=True),
    World("tracked", flags=("--track", "tensorboard"), warm=True),
    World("checkpointing", flags=("--checkpointing",), warm=True),
    World("other home", umask=0o077, environment={
        "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "COLUMNS": "31",
    }),
)  # fmt: skip
NEAR = (
    World("small micro-batches", "tolerance", flags=("--token-budget", "97"), warm=True),
    World("two threads", "tolerance", environment={"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}, warm=True),
    World("four threads", "tolerance", environment={"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "4"}, warm=True),
    World("no vector instructions", "tolerance", warm=True, environment={
        "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE",
    }),
    World("other products", "tolerance", warm=True, environment={"MKL_CBWR": "AVX", "ONEDNN_MAX_CPU_ISA": "AVX"}),
)  # fmt: skip
WORLDS = {world.name: world for world in (*SAME, *NEAR)}
