"""Heads: hidden states to scores, the same code for every method.

Shape legend: B rows, K positions read of a row, R positions that one lane reads, H hidden size, C classes or columns,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from bench.data.batches import MicroBatch, ReadPositions
from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.dropout import keep_mask
from bench.model.label_words import LabelWords
from bench.model.needs import HeadKind
from bench.model.reparam import INIT_STD, normal_
from bench.model.rows import assembled, repeated
from bench.model.word_head import WordHead
from bench.task import Task


class LinearHead(nn.Module):
    """One linear layer on each position read: [CLS] for classification and for each candidate of a choice, a word's
    first subword for tagging, [CLS] and every token of the context for spans (bench.model.families.named says what is
    read where there is no [CLS]).

    No pooler stands between: a checkpoint without a trained one would put a random frozen layer there. Where positions
    compete a bias would be added to all of them alike and could not train, so there is none.
    """

    def __init__(self, hidden: int, columns: int, bias: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, columns, bias=bias)
        normal_(self, INIT_STD)

    def forward(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """(R, H) -> (R, C); what `tokens` are wanted is another head's concern."""
        scores: Tensor = self.linear(hidden)
        return scores


class VerbalizerHead(WordHead):
    """The scores of the classes' words at [MASK]. A word of several subwords scores the mean of their scores."""

    def __init__(self, backbone: Backbone, word_ids: list[list[int]]) -> None:
        super().__init__(backbone)
        self.word_ids = word_ids
        self.single = torch.tensor([ids[0] for ids in word_ids]) if all(len(ids) == 1 for ids in word_ids) else None

    def chosen(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """(R, V) -> (R, C); the words are the same for every row, so `tokens` is not asked."""
        if self.single is not None:
            return logits[:, self.single.to(logits.device)]
        sums = [reduce(torch.add, [logits[:, token] for token in ids]) / len(ids) for ids in self.word_ids]
        return torch.stack(sums, dim=1)


class CandidateHead(WordHead):
    """The log-probability of the token wanted at each position: a choice scores its candidates by the mean over their
    tokens, all masked at once or said one after the other.
    """

    def chosen(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """(R, V), (R,) -> (R, 1)."""
        return logits.float().log_softmax(dim=1).gather(1, tokens[:, None])


def lane_scores(
    backbone: Backbone, batch: MicroBatch, hidden: Tensor, heads: Sequence[nn.Module], rates: Sequence[float]
) -> dict[int, tuple[ReadPositions, Tensor]]:
    """By lane of a micro-batch what its head reads, and the scores (R, C).

    `heads` and `rates` (dropout on a linear head's input, drawn by row) go by lane; heads that meet are of one shape.
    Products run over all rows at once, so that their shape does not depend on how many are whose.
    """
    states = batch.gathered(hidden)  # (B, K, H)
    lanes = list(batch.rows_of)
    read_by = {lane: read for lane in lanes if (read := batch.read_by(lane)) is not None}
    first_head = heads[lanes[0]]
    if isinstance(first_head, LinearHead):
        scores = _linear_scores(batch, states * _head_dropout(batch, states, rates), heads)  # (B, K, C)
        return {lane: (read, read.of(scores)) for lane, read in read_by.items()}
    logits = backbone.lm_logits(states.flatten(0, 1)).view(*states.shape[:2], -1)  # (B, K, V)
    by_lane = {}
    for lane, read in read_by.items():
        head = heads[lane]
        assert isinstance(head, WordHead), "heads of other shapes share no micro-batch"
        by_lane[lane] = read, head.chosen(read.of(logits), read.tokens)
    return by_lane


def head_kind(head: nn.Module) -> tuple[object, ...]:
    """Heads with this in common may meet in a micro-batch."""
    if isinstance(head, LinearHead):
        return (type(head).__name__, head.linear.out_features, head.linear.bias is not None)
    return (type(head).__name__,)


def _linear_scores(batch: MicroBatch, states: Tensor, heads: Sequence[nn.Module]) -> Tensor:
    """Each row through its own lane's linear layer: (B, K, H) -> (B, K, C)."""
    rows_of = batch.rows_of

    def by_row(name: str) -> Tensor:
        parts = [(heads[lane].get_parameter(f"linear.{name}"), rows) for lane, rows in rows_of.items()]
        return assembled([repeated(part, len(rows)) for part, rows in parts], [*rows_of.values()], len(states))

    scores = torch.matmul(states, by_row("weight").transpose(1, 2))
    first_head = heads[batch.row_lanes[0]]
    return scores + by_row("bias")[:, None] if first_head.get_submodule("linear").bias is not None else scores


def _head_dropout(batch: MicroBatch, states: Tensor, rates: Sequence[float]) -> Tensor | float:
    row_rates = [rates[lane] for lane in batch.row_lanes]
    if not any(row_rates):
        return 1.0
    num_empty = len(states) - len(row_rates)
    seeds, shape = [*batch.row_seeds, *[0] * num_empty], tuple(states.shape[1:])
    return keep_mask(seeds, [*row_rates, *[0.0] * num_empty], shape, states.device, "head")


def build_head(kind: HeadKind, backbone: Backbone, task: Task, num_label_words: int = 0) -> nn.Module:
    """The head of a cell; a linear one draws its initial values from torch's default generator.

    With `num_label_words` a verbalizer's words are so many for each class, and still to be searched for.
    """
    if kind == "linear":
        return LinearHead(backbone.geometry.hidden, task.columns, bias=not task.positions_compete)
    if task.facts.cloze == "candidates":
        return CandidateHead(backbone)
    if num_label_words:
        return LabelWords(backbone, task.classes, num_label_words)
    return VerbalizerHead(backbone, [word_tokens(backbone.tokenizer, task.words[name]) for name in task.classes])


def word_tokens(tokenizer: Any, word: str) -> list[int]:
    """Token ids of a label word as it stands inside a text, i.e. after a space."""
    ids: list[int] = tokenizer(" " + word, add_special_tokens=False)["input_ids"]
    if not ids or tokenizer.unk_token_id in ids:
        raise UsageError(f"the tokenizer does not know the label word {word!r}; choose another verbalizer")
    return ids
