"""Which lanes' rows may share a micro-batch on a backbone's device."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from torch import nn

from bench.data.cutting import Cut, Ticket, fixed, own
from bench.model.backbone import Backbone
from bench.model.heads import head_kind
from bench.model.prompts import Prompts


def micro_batches(
    backbone: Backbone,
    tickets: Sequence[Ticket],
    token_budget: int,
    prompts: Sequence[Prompts],
    heads: Sequence[nn.Module],
) -> Iterator[Cut]:
    """A step's tickets, cut as suits the device; `prompts` and `heads` go by lane.

    On a GPU rows of lanes whose prompts and heads have one shape share micro-batches, rows with and without a prefix
    never: one kernel serves all rows, and must be the one that serves a lane alone.
    """
    if not backbone.fixed_shapes:
        return own(tickets, token_budget)
    shapes = [_shape(*lane) for lane in zip(prompts, heads, strict=True)]
    return fixed(tickets, token_budget, shapes, backbone.positions)


def _shape(prompts: Prompts, head: nn.Module) -> Hashable:
    prefixes = None if prompts.prefixes is None else tuple(prompts.prefixes.shape)
    slots = None if prompts.slots is None else tuple(prompts.slots.shape)
    changes = tuple(tuple(tensor.shape) for tensor in prompts.changes.values())
    return (prefixes, prompts.layers, slots, prompts.offset > 0, prompts.sites, changes, head_kind(head))
