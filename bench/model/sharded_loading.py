"""From a checkpoint to a backbone that a team of processes divides: one of them reads it, into main memory."""

from __future__ import annotations

import torch

from bench.cell import Precision
from bench.errors import UnfitModel
from bench.model.backbone import Backbone
from bench.model.checkpointing import checkpoint_layers
from bench.model.layers import layers_of
from bench.model.precisions import computed_in
from bench.model.pretrained import ON_CPU, Place, family_for, load_config, load_model, load_tokenizer, loading
from bench.model.proofs import prove
from bench.model.ranks import Ranks
from bench.model.sharded import TeamRanks
from bench.model.source import ModelSource, refusal


def load_sharded(
    source: ModelSource, ranks: Ranks, precision: Precision, checkpointing: bool = False, half: bool = True
) -> Backbone:
    """A checkpoint that has proved itself, for a method that changes its weights; called by every process at once.

    The first process has the whole model in main memory while it is divided, the others never: weights go to the
    devices a layer at a time. `half`: where products are of bf16 matrices may be gathered so, since nothing reads a
    layer's but its products. Layers run uncompiled. UsageError when transformers cannot load it, or the proof failed.
    """
    assert isinstance(ranks, TeamRanks)
    proof = prove(source, ranks.device)
    if proof.refused:
        raise UnfitModel(refusal(source, proof))
    family = family_for(load_config(source).to_dict(), proof)
    with_words = source.has_lm_head and "lm_head" not in proof.fails
    place = Place((torch.device("meta"),)) if ranks.rank else ON_CPU
    model, _ = load_model(source, family, proof.attention, with_words, place)
    with loading(source):
        if checkpointing:
            checkpoint_layers(model, family)
        # of a matrix that is used twice gradients would be added up in bf16
        half = half and proof.once and computed_in(precision) == "bf16"
        ranks.shard(model, layers_of(model, family), half)
    backbone = Backbone(model, load_tokenizer(source), ranks.device, precision, family, proof)
    backbone.ranks, backbone.code = ranks, source.code
    backbone.compiled = False  # code would hold on to weights that come and go
    backbone.fixed_shapes = ranks.device.type == "cuda"
    return backbone
