"""Memory that is used up: at the n-th operation of torch, or at the n-th call of a function of the program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import bench
from bench.cli import main

OURS = str(Path(bench.__file__).parent)
ENTRANCE = main.__code__  # where no frame can be had for it nothing of ours has begun, and Python speaks
ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "8589934592 bytes. Error code 12 (Cannot allocate memory)"
)
ERRORS: dict[str, Callable[[], BaseException]] = {
    "a device's": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total"),
    "the machine's, by torch": lambda: RuntimeError(ALLOCATOR),
    "the machine's": MemoryError,
}

# by phase a file and a function of ours that is at work; the first of a stack that is named here
PHASES = {
    ("execute/alone.py", "measured"): "alone", ("execute/probe.py", "measure"): "probing",
    ("model/proofs.py", "prove"): "proving", ("train/backbones.py", "of"): "loading",
    ("model/loading.py", "load_backbone"): "loading", ("predicting/__init__.py", "answers"): "predicting",
    ("export/__init__.py", "export"): "export", ("score/evaluate.py", "predict"): "evaluation",
    ("train/training.py", "step"): "training", ("train/prepare.py", "prepare"): "reading",
    ("commands/report.py", "report_folders"): "report", ("runner.py", "_write"): "writing",
}  # fmt: skip


@dataclass(frozen=True)
class Shortage:
    """Which memory is used up, and whether for once or from then on."""

    error: str
    lasting: bool


def phase() -> str:
    """What is being done, by the stack."""
    frame: FrameType | None = sys._getframe(1)
    found = []
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(OURS):
            found.append((name[len(OURS) + 1 :], frame.f_code.co_name))
        frame = frame.f_back
    return next((PHASES[place] for place in reversed(found) if place in PHASES), "elsewhere")


class Operations(TorchDispatchMode):
    """Counts operations by phase; the so-many-th fails. A view takes no memory, and neither do those without data."""

    def __init__(self, at: int, shortage: Shortage | None, heard: Path | None) -> None:
        super().__init__()
        self._at, self._shortage = at, shortage
        self._heard = heard.open("a", buffering=1) if heard else None
        self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        if self._heard is not None:
            self._heard.write(f"{phase()} {func}\n")
        if self._shortage and (self.calls == self._at or (self._shortage.lasting and self.calls > self._at > 0)):
            raise ERRORS[self._shortage.error]()
        return func(*args, **(kwargs or {}))


def use_up_operations(at: int, shortage: Shortage | None, heard: Path | None = None) -> Callable[[], None]:
    """Let the so-many-th operation of torch fail, in a fork; 0: none. `heard`: where each one's phase is noted."""

    def armed() -> None:
        Operations(at, shortage, heard).__enter__()

    return armed


def use_up_calls(at: int, shortage: Shortage | None, heard: Path | None = None) -> Callable[[], None]:
    """Let the so-many-th call of a function of the program fail, in a fork, as where Python has no room for a frame."""

    def armed() -> None:
        calls, file = 0, heard.open("a") if heard else None

        def hear(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal calls
            if event != "call" or not frame.f_code.co_filename.startswith(OURS) or frame.f_code is ENTRANCE:
                return
            calls += 1
            if file is not None:
                file.write(f"{phase()} {frame.f_code.co_filename[len(OURS) + 1 :]}:{frame.f_code.co_name}\n")
                file.flush()
            if shortage and (calls == at or (shortage.lasting and at < calls)):
                raise ERRORS[shortage.error]()

        sys.setprofile(hear)

    return armed
