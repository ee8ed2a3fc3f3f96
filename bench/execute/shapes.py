"""`--devices` on a cluster: how many workers, and what each asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.errors import UsageError


@dataclass(frozen=True)
class Shape:
    """What one worker asks Ray for; `node` where it should be, if that is there."""

    num_gpus: int
    num_cpus: float
    node: str = ""


def shapes(nodes: Sequence[Mapping[str, float]], names: Sequence[str], asked: str) -> list[Shape]:
    """A worker for each GPU of a cluster; without GPUs, and for `cpu`, one for each node with all its processors;
    `cpu:4` are four that have as many processors each as there are for all. `nodes` are their resources.

    UsageError for what a cluster cannot give.
    """
    if asked not in ("auto", "all", "cuda") and not asked.startswith("cpu"):
        raise UsageError(f"--devices {asked}: with --executor ray, Ray chooses the GPUs; use all, cpu or cpu:4")
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    if gpus and not asked.startswith("cpu"):
        return [Shape(1, 1)] * gpus
    if asked == "cuda":
        raise UsageError("--devices cuda: the Ray cluster has no GPU; use --devices cpu")
    processors = {name: int(node.get("CPU", 0)) for node, name in zip(nodes, names, strict=True)}
    if not any(processors.values()):
        raise UsageError("the Ray cluster has no processors to give; start its nodes with --num-cpus")
    if ":" not in asked:
        return [Shape(0, count, name) for name, count in processors.items() if count]
    wanted = int(asked.partition(":")[2])
    for share in range(max(processors.values()), 0, -1):
        if sum(count // share for count in processors.values()) >= wanted:
            return [Shape(0, share)] * wanted
    of_each = math.ceil(wanted / sum(processors.values()))  # workers that a processor has
    return [Shape(0, math.floor(10_000 / of_each) / 10_000)] * wanted  # Ray counts in ten-thousandths
