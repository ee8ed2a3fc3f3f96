"""A plain FSDP2 loop over a layout with random weights, as one would write it for one model: the peer of ours."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers import AutoModel, PretrainedConfig


@dataclass(frozen=True)
class Plain:
    """The work of a step: `batch_size` rows of `length` tokens, over so many devices together."""

    config: PretrainedConfig
    batch_size: int
    length: int
    device: str
    processes: int
    bf16: bool
    warmup: int
    steps: int
    checkpointing: bool = False


@dataclass(frozen=True)
class Timed:
    """Of the first process: seconds a step, and the most memory."""

    seconds: float
    peak_bytes: int


def time_plain(work: Plain) -> Timed:
    """Run the loop in processes of its own."""
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_process, args=(work, folder), nprocs=work.processes)  # type: ignore[no-untyped-call]
        return Timed(**torch.load(Path(folder) / "timed", weights_only=True))


def _process(rank: int, work: Plain, folder: str) -> None:
    device = torch.device(work.device, rank) if work.device == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo", init_method=f"file://{folder}/meeting", rank=rank,
        world_size=work.processes,
    )  # fmt: skip
    torch.manual_seed(0)
    with device:
        model = AutoModel.from_config(work.config, dtype=torch.float32)
        head = torch.nn.Linear(work.config.hidden_size, 2)
    if work.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if work.processes > 1:
        _shard(model, device, work.bf16)
    parameters = [*model.parameters(), *head.parameters()]
    optimizers = [
        torch.optim.AdamW(part.parameters(), lr=2e-5, weight_decay=0.01, fused=True) for part in (model, head)
    ]
    rows = work.batch_size // work.processes
    ids = torch.randint(5, work.config.vocab_size, (rows, work.length), device=device)
    labels = torch.randint(2, (rows,), device=device)
    started = 0.0
    for step in range(work.warmup + work.steps):
        if step == work.warmup:
            _wait(device)
            started = time.perf_counter()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=work.bf16 and work.processes == 1):
            states = model(input_ids=ids, use_cache=False).last_hidden_state[:, -1]
            loss = torch.nn.functional.cross_entropy(head(states.float()), labels)
        loss.backward()
        for weight in head.parameters():
            dist.all_reduce(weight.grad)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    _wait(device)
    assert all(parameter.requires_grad for parameter in parameters)
    seconds = (time.perf_counter() - started) / work.steps
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    if not rank:
        torch.save({"seconds": seconds, "peak_bytes": peak}, os.path.join(folder, "timed"))
    dist.destroy_process_group()


def _shard(model: Any, device: torch.device, bf16: bool) -> None:
    mesh = DeviceMesh.from_group(dist.group.WORLD, device.type)  # type: ignore[arg-type]
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if bf16 else MixedPrecisionPolicy()
    for layer in [*model.layers, model]:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
        if device.type == "cpu":  # gloo knows no mean
            layer.set_gradient_divide_factor(1.0)
            layer.set_force_sum_reduction_for_comms(True)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
