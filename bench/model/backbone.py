"""A pretrained model with its tokenizer, whatever its family, behind one face.

Shape legend: B rows, T tokens, U tokens a decoder is fed, P prompt length, R positions, H hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from bench.cell import Precision
from bench.data.batches import MicroBatch
from bench.errors import UsageError
from bench.model import attention
from bench.model.attention import RowPrefixes
from bench.model.changes import changed
from bench.model.families.config import first_position, most_positions
from bench.model.families.family import Family
from bench.model.geometry import geometry_of
from bench.model.layers import uncompiled
from bench.model.precisions import computed_in
from bench.model.prefixes import row_changes, row_prefixes, slot_vectors
from bench.model.pretrained import reader_for
from bench.model.proof import Proof
from bench.model.ranks import ALONE, Ranks
from bench.model.sites import Sites
from bench.model.stacked import Stacked
from bench.model.streams import queries
from bench.task import Task


class _States(BaseModelOutputWithPastAndCrossAttentions):
    """An encoder's answer that has nothing but states: families ask for more (memories, a router's scores)."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class Backbone:
    """One loaded model. While it is `shared` it serves many lanes, and nothing of it changes; a method that trains its
    weights, or puts modules into it, has one alone.

    `encoder` reads the text, whether it sees both ways or not; `decoder` reads on, in encoder–decoders only.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        device: torch.device,
        precision: Precision,
        family: Family,
        proof: Proof | None = None,
    ) -> None:
        self.model, self.tokenizer, self.device, self.precision = model, tokenizer, device, precision
        config = model.config.to_dict()  # type: ignore[operator, union-attr]
        self.family, self.reader, self.proof = family, reader_for(config, family), proof
        self.base: nn.Module = model.base_model  # type: ignore[assignment]
        self.encoder = getattr(self.base, self.family.inside) if self.family.inside else self.base
        self.decoder: nn.Module | None = getattr(self.base, self.family.decoder) if self.family.decoder else None
        self.embeddings: nn.Module = self.encoder.get_input_embeddings()  # type: ignore[operator]
        self.pad_id = int(tokenizer.pad_token_id or 0)
        self.geometry = geometry_of(model, self.encoder.config, proof)
        self.has_types = self.family.types or _has_types(model.config)
        self.devices: tuple[torch.device, ...] = (device,)  # over which its layers lie; the first has all else
        self.layer_devices: dict[int, torch.device] = {}  # of the encoder's layers that lie on another
        self.ranks: Ranks = ALONE  # who works on it
        self.code = ""  # of its own, that runs: see ModelSource
        self.shared = False  # whether lanes share it; it is then frozen
        self.sharing: dict[tuple[Sites, bool], str] = {}  # changes by row that were tried (bench.model.sharing)
        self.fixed_shapes = False  # whether rows of many lanes share micro-batches (bench.data.cutting)
        self.same_bits: dict[Any, bool] = {}  # shapes in which rows were seen to come to the same (bench.model.passes)
        self.compiled: bool | None = None  # whether its layers run compiled (bench.model.compiled); None: undecided
        self.before_pass: Callable[[RowPrefixes | None, int], None] | None = None
        """Told before a pass which prefixes it has, and how many rows."""
        self.deterministic = True  # until an operation turns out to have no kernel of a fixed order
        limit = most_positions(config)
        self.positions = limit - first_position(config) if limit else 0  # of the longest sequence; 0: no limit

    @property
    def causal(self) -> bool:
        """Whether a token sees only those before it."""
        return self.family.direction == "left"

    @property
    def word_embeddings(self) -> Tensor:
        """(V, H) the table that tokens are looked up in, in fp32 and without gradients; H is `geometry.embedding`."""
        table: Tensor = self.embeddings.weight  # type: ignore[assignment]
        return self.ranks.whole(table).detach().float()

    def reached(self, task: Task) -> list[nn.Module]:
        """The parts whose weights the states depend on that a task's head reads: not the decoder for tags and spans."""
        return [self.encoder] if self.decoder is None or task.reads_tokens else [self.encoder, self.decoder]

    def autocast(self) -> AbstractContextManager[object]:
        """bf16 matrix products where the cell asks for them; everything that trains stays fp32."""
        if computed_in(self.precision) == "bf16":
            # sharded weights come and go, and what was made of them must not stay
            return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=self.ranks.alone)
        return nullcontext()

    def hidden(self, batch: MicroBatch, stacked: Stacked) -> Tensor:
        """Last hidden states (B, T, H), each row with its own lane's prompts; the decoder's where one reads on."""
        if self.proof and not set(stacked.layers) <= set(self.geometry.prefixed):
            raise UsageError(
                "the model takes no prefixes in some of these layers; a method that has any says that it `needs` them"
            )
        inputs: dict[str, Any] = {"attention_mask": batch.mask}
        if self.has_types:
            inputs["token_type_ids"] = batch.types
        if self.causal:
            inputs["use_cache"] = False
        positions = self._positions(batch, stacked.offset) if stacked.offset else None
        if positions is not None and self.family.positions == "argument":
            inputs["position_ids"] = positions
        embedded = self._fill_slots(batch, stacked)
        if self.family.mixes_neighbours:
            embedded = (self.embeddings(batch.ids) if embedded is None else embedded) * batch.mask[..., None]
        if embedded is None:
            inputs["input_ids"] = batch.ids
        else:
            inputs["inputs_embeds"] = embedded
        word_queries = queries(batch, self.tokenizer.mask_token_id) if self.family.query_stream else None
        inputs |= word_queries.inputs() if word_queries else {}
        changes = row_changes(batch, stacked, self.family.query_stream)
        with_prefixes = row_prefixes(batch, stacked, self.layer_devices)
        with uncompiled(changes is not None), changed(changes):
            if self.before_pass:
                self.before_pass(with_prefixes, len(batch.ids))
            with attention.prefixes(with_prefixes), self._placed(positions):
                answer = self.encoder(**inputs)
            states: Tensor = word_queries.states(answer) if word_queries else answer.last_hidden_state
            return self._decoded(batch, states) if batch.fed.shape[1] else states

    def _decoded(self, batch: MicroBatch, states: Tensor) -> Tensor:
        """The decoder's states in the place of the encoder's: (B, U, H). No prefix is active here: they are the
        encoder's alone.
        """
        assert self.decoder is not None
        answer = self.decoder(
            input_ids=batch.fed, encoder_hidden_states=states, encoder_attention_mask=batch.mask, use_cache=False
        )
        decoded: Tensor = answer.last_hidden_state
        return decoded

    def lm_logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary for single hidden states: (R, H) -> (R, V).

        Runs the model's own language-model head, whatever its family calls it: the whole model is called with an
        encoder that answers with the given states.
        """
        answer = _States(last_hidden_state=hidden[:, None])
        dummy = torch.zeros((hidden.shape[0], 1), dtype=torch.long, device=hidden.device)
        inputs: dict[str, Any] = {"input_ids": dummy}
        if self.decoder is not None:
            inputs = {"encoder_outputs": (hidden[:, None],), "decoder_input_ids": dummy}
        with _answering(self.decoder or self.encoder, answer):
            logits: Tensor = self.model(**inputs).logits
        return logits[:, 0]

    def _positions(self, batch: MicroBatch, offset: int) -> Tensor | None:
        """Absolute positions (B, T) that begin at the offset; padding stays inside the table.

        None where the family has none.
        """
        if self.family.positions == "relative":
            return None
        config: Any = self.model.config
        first, limit = first_position(config.to_dict()), most_positions(config.to_dict())
        places = torch.arange(batch.ids.shape[1], device=self.device) + (first + offset)
        return places.clamp(max=limit - 1 if limit else None).expand(len(batch.ids), -1)

    def _placed(self, positions: Tensor | None) -> AbstractContextManager[object]:
        """Within the block the encoder takes these positions, where it counts them itself and takes no argument."""
        if positions is None or self.family.positions != "inside":
            return nullcontext()
        table: Any = self.encoder.embed_positions
        return _answering(table, nn.functional.embedding(positions + getattr(table, "offset", 0), table.weight))

    def _fill_slots(self, batch: MicroBatch, stacked: Stacked) -> Tensor | None:
        """Word embeddings with the prompt vectors at their slots, or None when the lanes have none.

        They enter as word embeddings: position and type embeddings and the LayerNorm come on top, once.
        """
        if not stacked.has("slots"):
            return None
        vectors = slot_vectors(batch, stacked)[:, : batch.slots.shape[1]]  # (B, P, H)
        vectors = vectors * getattr(self.embeddings, "embed_scale", 1.0)  # some tables scale what they give
        embedded: Tensor = self.embeddings(batch.ids)
        scale = getattr(self.encoder, "embed_scale", 1.0)  # and some encoders what they look up themselves
        vectors, embedded = vectors * scale, embedded * scale
        length = embedded.shape[1]
        if not batch.all_slots:  # what has no slot goes to a place beyond the last
            embedded = nn.functional.pad(embedded, (0, 0, 0, 1))
        rows = torch.arange(len(embedded), device=embedded.device)[:, None].expand_as(batch.slots)
        return embedded.index_put((rows, batch.slots), vectors.to(embedded.dtype))[:, :length]


@contextmanager
def _answering(module: nn.Module, answer: object) -> Iterator[None]:
    """Within the block a module answers every call with what is given."""
    forward = module.forward
    module.forward = lambda *_, **__: answer
    try:
        yield
    finally:
        module.forward = forward


def _has_types(config: Any) -> bool:
    return int(getattr(config, "type_vocab_size", 0) or 0) > 1
