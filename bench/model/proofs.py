"""The proofs of all models of a plan, made before anything is read or trained."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from bench.model import memory
from bench.model.backbone import prove
from bench.model.proof import Proof, known_proof
from bench.model.source import ModelSource, is_fetched


def proofs_of(models: Iterable[ModelSource], device: torch.device, fetch: bool) -> dict[str, Proof]:
    """By fingerprint what each model shows of itself on the device.

    Left out are models that do not fit the free memory, which the estimate of what a cell needs refuses, and without
    `fetch` those that are not on this machine yet. UsageError for a checkpoint that cannot be loaded.
    """
    found = {}
    for model in dict.fromkeys(models):
        known = known_proof(model.fingerprint, device.type)
        if known is None and (not (fetch or is_fetched(model)) or not _fits(model, device)):
            continue
        found[model.fingerprint] = known or prove(model, device)
    return found


def _fits(model: ModelSource, device: torch.device) -> bool:
    sizes = memory.model_sizes(model)
    free = min(memory.available_bytes(device), memory.available_bytes(torch.device("cpu")))
    return sizes is None or sizes.parameters * memory.FLOAT <= free * (1 - memory.MARGIN)
