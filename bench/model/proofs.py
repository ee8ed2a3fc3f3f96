"""Models prove themselves: each is loaded for it once, in the first way in which it is right."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from bench.errors import OutOfMemory, UnfitModel, UsageError, with_memory_to
from bench.model.backbone import Backbone
from bench.model.families.config import family_of
from bench.model.families.family import Family
from bench.model.free_memory import available_bytes
from bench.model.matrices import multiply_in_fp32
from bench.model.memory import MARGIN, weight_bytes
from bench.model.pretrained import Place, load_config, load_model, load_tokenizer, reading
from bench.model.proof import UNLOADED, Proof, Way, keep_proof, known_proof
from bench.model.proving import examine
from bench.model.sizes import model_sizes
from bench.model.source import ModelSource, is_fetched

Devices = tuple[torch.device, ...]
NO_HEAD = "its config names none"


def proofs_of(
    models: Iterable[ModelSource], device: torch.device, fetch: bool, others: Devices = ()
) -> dict[str, Proof]:
    """By fingerprint what each model of a plan shows of itself on the device, before anything is read or trained.

    `others` as in `prove`.

    Left out are models that do not fit the free memory, which the estimate of what a cell needs refuses, and without
    `fetch` those that are not on this machine yet. A checkpoint that cannot be loaded is refused, which is not kept:
    another package, or more memory, may mend it.
    """
    proofs: dict[str, Proof] = {}
    for model in dict.fromkeys(models):
        known = known_proof(model.fingerprint, device.type)
        if known is None and (not (fetch or is_fetched(model)) or _place(model, device, others) is None):
            continue
        try:
            proofs[model.fingerprint] = known or prove(model, device, others)
        except UsageError as error:
            reason = str(error).removeprefix(f"model {model.path} cannot be loaded: ")
            proofs[model.fingerprint] = Proof("own", "both", UNLOADED + reason)
    return proofs


def _place(model: ModelSource, device: torch.device, others: Devices) -> Place | None:
    """Where a model is examined: on the device, else over the others too; in either case with all weights in fp32 if
    there is room. None where there is room for neither.

    Matrices in bf16 that are multiplied in fp32 show what they would in fp32: of a checkpoint in bf16 to the bit, and
    of another as a frozen backbone in bf16 has them.
    """
    sizes = model_sizes(model)
    for devices in dict.fromkeys(((device,), (device, *others))):
        free = min(map(available_bytes, devices)) * (1 - MARGIN)
        for half in (False, True):
            if sizes is None or weight_bytes(sizes, half, len(devices)) <= free:
                return Place(devices, half)
    return None


def prove(source: ModelSource, device: torch.device, others: Devices = ()) -> Proof:
    """What a model shows of itself, multiplied in fp32 on the device; kept, so that it is loaded for this once.

    A model that is too large for the device is spread over the others too, and for all of them stays in main memory: in
    int8 or nf4 it may fit after all.

    Attention that takes prefixes is tried first; where it is not right, the family's own, without. UsageError when
    transformers cannot load it.
    """
    proof = known_proof(source.fingerprint, device.type)
    if proof is None:
        try:
            with with_memory_to(f"let model {source.path} prove itself"):
                proof = _proved(source, _place(source, device, others) or Place(half=True))
        except UnfitModel as error:
            proof = Proof("own", "both", str(error))
        keep_proof(source.fingerprint, device.type, proof)
    return proof


def _proved(source: ModelSource, place: Place) -> Proof:
    """The first way in which the model is right, else why the last one is not."""
    begun = time.perf_counter()
    tokenizer, family = load_tokenizer(source), family_of(load_config(source).to_dict())
    proof = _tried(source, family, tokenizer, place)
    if proof.direction != family.direction and family.decoder == "":  # it reads another way than its config says
        turned = _tried(source, reading(family, proof.direction), tokenizer, place)
        proof = proof if turned.refused else turned
    return replace(proof, seconds=round(time.perf_counter() - begun, 3))


def _tried(source: ModelSource, family: Family, tokenizer: Any, place: Place) -> Proof:
    outcome: Proof | UsageError | None = None
    for way in dict.fromkeys((family.attention, "own")):
        try:
            model, lacking = _loaded(source, family, way, place)
        except OutOfMemory:  # it says nothing of the model, which would lose a way for it
            raise
        except UsageError as error:  # a family may refuse an attention function that is not its own
            outcome = outcome or error
            continue
        if place.half:
            multiply_in_fp32(model)
        try:
            backbone = Backbone(model, tokenizer, place.devices[0], "fp32", family)
        except (AttributeError, TypeError, NotImplementedError, ZeroDivisionError) as error:
            reason = " ".join(str(error).split())[:120]
            outcome = Proof(way, family.direction, f"its parts are not those that this version knows ({reason})")
            continue
        earlier, outcome = outcome, examine(backbone, way, source.positions, lacking if source.has_lm_head else NO_HEAD)
        if not outcome.refused:
            if isinstance(earlier, Proof) and "prefixes" in outcome.fails:
                outcome.fails["prefixes"] = earlier.refused  # why attention that takes them was not right
            return outcome
    if isinstance(outcome, Proof):
        return outcome
    assert outcome is not None
    raise outcome


def _loaded(source: ModelSource, family: Family, way: Way, place: Place) -> tuple[Any, str]:
    """As `load_model`, and again where that fails: what has passed by then says nothing of the way either."""
    try:
        return load_model(source, family, way, source.has_lm_head, place)
    except OutOfMemory:
        raise
    except UsageError:
        return load_model(source, family, way, source.has_lm_head, place)
