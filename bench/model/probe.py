"""The rows a model is examined on, made of its own vocabulary, and its states for them.

Shape legend: T tokens, S tokens read, E embedding size, H hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bench.data.batches import MicroBatch, collate
from bench.data.rows import Item, Row
from bench.data.specials import special
from bench.errors import UsageError
from bench.model.prompts import Prompts
from bench.model.stacked import Stacked
from bench.model.streams import queries

if TYPE_CHECKING:
    from bench.model.backbone import Backbone

SHORT, LONG = 5, 21  # tokens between a text's special tokens
FED, FED_MORE = 2, 6  # tokens a decoder is fed after those it begins with


class Probe:
    """Rows of a tokenizer's own tokens with its special ones around. UsageError when the two do not go together.

    `short` and `long` are read by the encoder alone, the two in `fed` by a decoder too (none without one); `spoken` is
    the row whose words are compared, at its positions `read`; `inner` are the positions of `short` between the
    special tokens.
    """

    def __init__(self, backbone: Backbone, positions: int) -> None:
        self.backbone = backbone
        tokenizer, self.types = backbone.tokenizer, 0
        self._table: Tensor = backbone.embeddings.weight  # type: ignore[assignment]
        rows = self._table.shape[0]
        last = max(tokenizer.get_vocab().values(), default=0)
        if last >= rows:
            raise UsageError(
                f"its tokenizer numbers tokens up to {last}, but its embedding has {rows} rows; "
                "give it the tokenizer it was trained with"
            )
        specials = special(tokenizer, backbone.reader)
        before, after = self._around = specials.single
        room = (positions or LONG + len(before) + len(after)) - len(before) - len(after)
        self._words = _words(tokenizer, rows)
        self.short = self._row([*before, *self._some(min(SHORT, room)), *after])
        self.long = self._row([*before, *self._some(min(LONG, room), 3), *after])
        self.inner = range(len(before), len(self.short.ids) - len(after))
        self.fed: list[Row] = []
        self.spoken = self.long
        if backbone.decoder is not None:
            opening = list(specials.opening)
            short = self._row(self.short.ids, [*opening, *self._some(FED, 1)])
            self.spoken = self._row(self.long.ids, [*opening, *self._some(FED_MORE, 2)])
            self.fed = [short, self.spoken]
        if backbone.family.query_stream and tokenizer.mask_token_id is not None:
            masked_ids = list(self.long.ids)
            places = [self.inner.start + 1, self.inner.start + 3]
            for at in places:
                masked_ids[at] = tokenizer.mask_token_id
            self.spoken = self._row(masked_ids, read=places)

    def text(self, length: int, start: int = 0, slotted: bool = False) -> Row:
        """Another text of about so many tokens; `slotted`: its first word is a slot."""
        count = max(2, length - len(self._around[0]) - len(self._around[1]))
        ids = [*self._around[0], *self._some(count, start), *self._around[1]]
        return self._row(ids, slots=[self.inner.start] if slotted else [])

    def changed(self, at: int) -> Row:
        """`short` with another token at a position."""
        ids = list(self.short.ids)
        ids[at] = next(word for word in self._words if word not in ids)
        return self._row(ids)

    def slotted(self) -> tuple[Row, Tensor]:
        """`long` with slots at its second and fourth inner token, and the embeddings (2, E) that stood there."""
        places = [self.inner.start + 1, self.inner.start + 3]
        ids = list(self.long.ids)
        vectors = self._table[torch.tensor([ids[at] for at in places], device=self._table.device)].detach()
        for at in places:
            ids[at] = self.backbone.pad_id
        return self._row(ids, slots=places), vectors

    def states(self, rows: Sequence[Row], prompts: Sequence[Prompts] = ()) -> list[Tensor]:
        """The rows' states (T, H) without padding, from one micro-batch; row i is lane i where prompts are many."""
        lane_prompts = list(prompts) or [Prompts()]
        batch = self._batch(rows, each_its_lane=len(lane_prompts) > 1)
        padded = self.backbone.hidden(batch, Stacked(lane_prompts))
        return [states[: len(row.decoder or row.ids)] for states, row in zip(padded, rows, strict=False)]

    def logits(self, row: Row) -> Tensor:
        """What the model itself scores at the positions that a row reads: (S, V)."""
        backbone, batch = self.backbone, self._batch([row], False)
        inputs: dict[str, Any] = {"input_ids": batch.ids[:1], "attention_mask": batch.mask[:1]}
        if backbone.has_types:
            inputs["token_type_ids"] = batch.types[:1]
        if backbone.causal:
            inputs["use_cache"] = False
        if row.decoder:
            inputs["decoder_input_ids"] = batch.fed[:1]
        word_queries = queries(batch, backbone.tokenizer.mask_token_id) if backbone.family.query_stream else None
        logits: Tensor = backbone.model(**inputs, **(word_queries.inputs() if word_queries else {})).logits[0]
        return logits if word_queries else logits[row.read]

    def _batch(self, rows: Sequence[Row], each_its_lane: bool) -> MicroBatch:
        items = [Item(at, (row,), [0], [0], False) for at, row in enumerate(rows)]
        owners, backbone = range(len(rows)) if each_its_lane else (), self.backbone
        return collate(items, backbone.pad_id, backbone.device, owners, mask_id=backbone.tokenizer.mask_token_id)

    def _some(self, count: int, start: int = 0) -> list[int]:
        """Tokens from all over the vocabulary."""
        step = max(1, len(self._words) // (LONG + 4))
        return [self._words[(start + at) * step % len(self._words)] for at in range(count)]

    def _row(
        self, ids: list[int], decoder: Sequence[int] = (), slots: Sequence[int] = (), read: Sequence[int] = ()
    ) -> Row:
        places = list(read) or list(range(len(decoder or ids)))
        return Row(ids, [0] * len(ids), list(slots), places, [], list(decoder))


def _words(tokenizer: Any, rows: int) -> list[int]:
    """The tokens that are words: known to the tokenizer, and not special. UsageError when there are too few."""
    special_ids = set(tokenizer.all_special_ids)
    words = [token for token in sorted(tokenizer.get_vocab().values()) if token not in special_ids and token < rows]
    if len(words) < SHORT + 2:
        raise UsageError(f"its tokenizer has {len(words)} tokens besides special ones, too few to be examined on")
    return words
