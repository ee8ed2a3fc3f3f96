"""From a checkpoint to a backbone that has proved itself."""

from __future__ import annotations

import torch
from torch import nn

from bench.cell import Precision
from bench.errors import UnfitModel
from bench.model.backbone import Backbone
from bench.model.checkpointing import checkpoint_layers
from bench.model.layers import layers_of
from bench.model.precisions import QUANTIZED, computed_in
from bench.model.pretrained import family_for, load_config, load_model, load_tokenizer, loading
from bench.model.proofs import prove
from bench.model.quantized import QuantizedLinear, quantize
from bench.model.source import ModelSource, refusal


def load_backbone(
    source: ModelSource, device: torch.device, precision: Precision, frozen: bool, checkpointing: bool = False
) -> Backbone:
    """Load a checkpoint that has proved itself, with its language-model head where it has one that can be used.

    All weights come without gradients. A frozen backbone is for lanes to share; unless it is in fp32 it
    keeps its linear weights in bf16, which is what autocast would make of them in every forward pass. In int8 and nf4
    any backbone has those of its layers in few bits (bench.model.quantized). With `checkpointing` its layers'
    activations are made again in the backward pass. UsageError when transformers cannot load it, or the proof failed.
    """
    proof = prove(source, device)
    if proof.refused:
        raise UnfitModel(refusal(source, proof))
    family = family_for(load_config(source).to_dict(), proof)
    with_words = source.has_lm_head and "lm_head" not in proof.fails
    model, _ = load_model(source, family, proof.attention, with_words)
    if checkpointing:
        with loading(source):
            checkpoint_layers(model, family)
    if precision in QUANTIZED:
        quantize(layers_of(model, family), precision, device)
    backbone = Backbone(model.to(device), load_tokenizer(source), device, precision, family, proof)
    backbone.shared = frozen
    backbone.fixed_shapes = device.type == "cuda"
    if frozen and computed_in(precision) == "bf16":
        for part in model.modules():
            if isinstance(part, nn.Linear) and not isinstance(part, QuantizedLinear):
                part.weight = nn.Parameter(part.weight.to(torch.bfloat16), requires_grad=False)
    return backbone
