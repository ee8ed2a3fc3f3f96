"""What trains in a lane: attachment and head with their initial values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from bench.errors import NothingToTrain, UsageError
from bench.model.attachment import Attachment
from bench.model.backbone import Backbone
from bench.model.head import Head
from bench.model.heads import build_head
from bench.resolved import ResolvedCell
from bench.seeds import derive
from bench.train.start import Start
from bench.tuning import Method


@dataclass(frozen=True, eq=False)
class Trainable:
    """An attachment and a head, and the steps they are to train for."""

    attachment: Attachment
    head: Head
    num_steps: int


def trainable(resolved: ResolvedCell, backbone: Backbone, num_steps: int, start: Start | None) -> Trainable:
    """A cell's own, with drawn values or those of its start. UsageError as `attach`, or for a number of steps that
    the attachment cannot do with.
    """
    attachment, head = attach(resolved, backbone), draw_head(resolved, backbone)
    if start is not None:
        attachment.load_state_dict(start.attachment)
        if start.head is not None:
            head.load_state_dict(start.head)
    if resolved.method.trains:
        _check_parameters(resolved.method, attachment, head)
        attachment.begin(num_steps)
    return Trainable(attachment, head, num_steps)


def attach(resolved: ResolvedCell, backbone: Backbone) -> Attachment:
    """The attachment of a cell on the backbone's device. UsageError when it is not what its method has announced.

    Initial values come from torch's default generator, seeded for the purpose and then put back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive("init", resolved.cell.stream_seed("init"), "attachment"))
        attachment: Attachment = resolved.method.attach(backbone, resolved.task).to(backbone.device)
        _check_prompts(resolved.method, attachment, backbone)
    return attachment


def draw_head(resolved: ResolvedCell, backbone: Backbone) -> Head:
    """The head of a cell; it has a seed of its own, so that every method starts from the same one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive("init", resolved.cell.stream_seed("init"), "head"))
        method = resolved.method
        return build_head(method.head, backbone, resolved.task, method.num_label_words).to(backbone.device)


def _check_parameters(method: Method, attachment: Attachment, head: nn.Module) -> None:
    """NothingToTrain when neither attachment nor head has a parameter, which only both together can tell."""
    if not any(True for _ in (*attachment.parameters(), *attachment.weights(), *head.parameters())):
        raise NothingToTrain(
            f"method {method.name!r} has nothing to train with a {method.head} head; its unfit() may say so beforehand"
        )


@torch.no_grad()
def _check_prompts(method: Method, attachment: Attachment, backbone: Backbone) -> None:
    """UsageError unless encoder and model were told of the prompts: as many slots as it has vectors, and prefixes; and
    unless the vectors are as wide as a word's embedding.
    """
    prompts, num_slots = attachment.prompts(), method.slots().count
    num_vectors = 0 if prompts.slots is None else len(prompts.slots)
    if num_vectors != num_slots:
        raise UsageError(
            f"method {method.name!r} attaches {num_vectors} slot vectors, but the encoder lays {num_slots} slots "
            f"for it; its slots() must return Slots({num_vectors})"
        )
    width = backbone.geometry.embedding
    if prompts.slots is not None and prompts.slots.shape[1:] != (width,):
        shape = tuple(prompts.slots.shape)
        raise UsageError(
            f"method {method.name!r} attaches slot vectors of shape {shape}; they must be ({num_slots}, {width})"
        )
    if prompts.prefixes is not None and "prefixes" not in method.needs:
        raise UsageError(
            f"method {method.name!r} attaches prefixes, but its `needs` does not say so, by which a model is chosen "
            "that takes them; add 'prefixes' to it"
        )
