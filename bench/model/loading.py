"""From a checkpoint to a backbone that has proved itself."""

from __future__ import annotations

from dataclasses import replace

import torch

from bench.cell import Precision
from bench.errors import UnfitModel, with_memory_to
from bench.model.backbone import Backbone
from bench.model.checkpointing import checkpoint_layers
from bench.model.layers import layers_of
from bench.model.matrices import round_matrices
from bench.model.precisions import QUANTIZED
from bench.model.pretrained import Place, family_for, load_config, load_model, load_tokenizer, loading
from bench.model.proofs import prove
from bench.model.quantized import quantize
from bench.model.source import ModelSource, refusal
from bench.model.spread import numbered_devices


def load_backbone(
    source: ModelSource,
    device: torch.device,
    precision: Precision,
    frozen: bool,
    checkpointing: bool = False,
    others: tuple[torch.device, ...] = (),
) -> Backbone:
    """Load a checkpoint that has proved itself, with its language-model head where it has one that can be used.

    All weights come without gradients. A frozen backbone is for lanes to share; in bf16 it keeps its linear weights in
    bf16, which is what autocast would make of them in every forward pass. In int8 and nf4 any backbone has those of its
    layers in few bits (bench.model.quantized), and comes to a single device through main memory, so that this never
    holds them all in bf16. With `others` its layers are spread over these devices too. With `checkpointing` its
    layers' activations are made again in the backward pass. UsageError when transformers cannot load it, or the proof
    failed.
    """
    proof = prove(source, device, others)
    if proof.refused:
        raise UnfitModel(refusal(source, proof))
    family = family_for(load_config(source).to_dict(), proof)
    with_words = source.has_lm_head and "lm_head" not in proof.fails
    in_few_bits = precision in QUANTIZED
    place = Place((device, *others), half=in_few_bits or (frozen and precision == "bf16"))
    first_place = replace(place, devices=(torch.device("cpu"),)) if in_few_bits and not others else place
    with with_memory_to(f"load model {source.path}"):
        model, _ = load_model(source, family, proof.attention, with_words, first_place)
        if checkpointing:
            with loading(source):
                checkpoint_layers(model, family)
        if in_few_bits:
            quantize(layers_of(model, family), precision, None if others else device)
        if not others:
            model = model.to(device)
    backbone = Backbone(model, load_tokenizer(source), device, precision, family, proof)
    backbone.shared, backbone.devices, backbone.code = frozen, place.devices, source.code
    backbone.fixed_shapes = device.type == "cuda"
    if others:
        backbone.layer_devices = numbered_devices(backbone.encoder, model, family)
    if place.half:
        round_matrices(model)
    return backbone
