"""Backbones as `load_backbone` gives them, each read from the disk once in a session; each asker gets a copy."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bench.cell import Precision
from bench.check.rig import Rig

if TYPE_CHECKING:
    from bench.model.backbone import Backbone

_READ: dict[tuple[str, ...], Backbone] = {}


def loaded(
    folder: str | Path,
    frozen: bool = True,
    checkpointing: bool = False,
    device: str = "cpu",
    precision: Precision = "fp32",
) -> Backbone:
    """What may be changed and is nobody else's: modules, weights, tokenizer. (tests/model/test_loaded.py)"""
    from bench.model.checkpointing import checkpoint_layers
    from bench.model.loading import load_backbone
    from bench.model.source import find_model

    source = find_model(str(folder))
    key = (source.path, source.fingerprint, device, precision, str(frozen))
    if key not in _READ:
        _READ[key] = load_backbone(source, torch.device(device), precision, frozen)
    kept = _READ[key]
    alike = (kept.family, kept.reader, kept.proof, kept.geometry, kept.ranks)  # they say, and hold nothing
    backbone = copy.deepcopy(kept, {id(each): each for each in alike})
    if checkpointing:
        checkpoint_layers(backbone.model, backbone.family)
    return backbone


class CopyingRig(Rig):
    """A rig whose fresh backbones are copies."""

    def backbone(self, shared: bool, checkpointing: bool = False) -> Backbone:
        return loaded(self.model, shared, checkpointing)
