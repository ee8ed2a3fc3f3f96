"""How a worker starts on a machine of which nothing is known yet: it says what is there before it is given anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from bench.cell import RESULTS_VERSION
from bench.errors import UsageError
from bench.version import __version__

OURS = f"{__version__}, results version {RESULTS_VERSION}"


@dataclass(frozen=True)
class Facts:
    """What an actor says of itself when it has started."""

    host: str
    device: torch.device
    has_bf16: bool


def facts_of(said: Mapping[str, Any]) -> Facts:
    """UsageError where a node has another tuning-bench than this machine, none, or no device for a worker."""
    host, theirs = said["host"], said["version"]
    if theirs != OURS:
        there = f"has tuning-bench {theirs}" if theirs else f"has no tuning-bench ({said['lacks']})"
        raise UsageError(
            f"node {host} of the Ray cluster {there}, here is {OURS}; "
            f"give its Python the same: pip install 'tuning-bench[ray]=={__version__}'"
        )
    if said["lacks"]:
        raise UsageError(f"node {host} of the Ray cluster: {said['lacks']}")
    return Facts(host, torch.device(said["device"]), said["has_bf16"])


def gate() -> type:
    """The class of actors. Ray sends a class that is made in a function whole, so that this one starts where
    tuning-bench is another one or lacks, and can say so; the rest is the node's own.
    """

    class Worker:
        def arrive(self, ours: str, kind: str, cache: str | None) -> dict[str, Any]:
            import os
            import platform

            said: dict[str, Any] = {"host": platform.node(), "version": None, "lacks": ""}
            if cache:
                os.environ.setdefault("TUNING_BENCH_CACHE", cache)
            try:
                from bench.cell import RESULTS_VERSION
                from bench.version import __version__
            except ImportError as error:
                return said | {"lacks": str(error)}
            said["version"] = f"{__version__}, results version {RESULTS_VERSION}"
            if said["version"] != ours:
                return said
            import torch

            from bench.model.device import has_bf16

            if kind == "cuda" and not torch.cuda.is_available():
                return said | {"lacks": "Ray gave a GPU there, and torch sees none"}
            device = "cuda:0" if kind == "cuda" else "cpu"
            return said | {"device": device, "has_bf16": has_bf16(torch.device(device))}

        def prove(self, paths: Any, device: str, fetch: bool, trusts: bool) -> Any:
            import torch

            from bench.errors import UsageError
            from bench.model.proofs import proofs_of
            from bench.model.source import find_model
            from bench.model.trust import trusting

            models = []
            with trusting(trusts):
                for path in paths:
                    try:
                        models.append(find_model(path))
                    except UsageError:  # not on this node
                        continue
            return proofs_of(models, torch.device(device), fetch)

        def open(self, errand: Any, device: str) -> None:
            import torch

            from bench.execute.outpost import Outpost

            self._outpost = Outpost(errand, torch.device(device))

        def begin(self, cells: Any, shared: bool) -> None:
            self._outpost.begin(cells, shared)

        def hear(self) -> Any:
            return self._outpost.hear()

    return Worker
