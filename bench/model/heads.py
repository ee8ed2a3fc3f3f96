"""Heads: hidden states to scores, the same code for every method.

Shape legend: B rows, K positions read of a row, H hidden size, C classes or columns, W subwords of a word, V
vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench.data.batches import MicroBatch
from bench.errors import UnfitModel
from bench.model.backbone import Backbone
from bench.model.head import Head
from bench.model.label_words import LabelWords
from bench.model.needs import HeadKind
from bench.model.reparam import INIT_STD, normal_
from bench.model.stacked import Stacked
from bench.model.word_head import WordHead
from bench.task import Task


class LinearHead(Head):
    """One linear layer on each position read: [CLS] for classification and for each candidate of a choice, a word's
    first subword for tagging, [CLS] and every token of the context for spans (bench.model.families.named says what is
    read where there is no [CLS]).

    No pooler stands between: a checkpoint without a trained one would put a random frozen layer there. Where positions
    compete a bias would be added to all of them alike and could not train, so there is none.
    """

    takes_dropout = True

    def __init__(self, hidden: int, columns: int, bias: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, columns, bias=bias)
        normal_(self, INIT_STD)

    def tensors(self) -> Mapping[str, Tensor]:
        return dict(self.linear.named_parameters())

    def scores(self, states: Tensor, batch: MicroBatch, of_rows: Mapping[str, Tensor]) -> Tensor:
        scores = torch.matmul(states, of_rows["weight"].transpose(1, 2))
        return scores + of_rows["bias"][:, None] if "bias" in of_rows else scores


class VerbalizerHead(WordHead):
    """The scores of the classes' words at [MASK]. A word of several subwords scores the mean of their scores."""

    def __init__(self, backbone: Backbone, word_ids: list[list[int]]) -> None:
        super().__init__(backbone)
        self.word_ids = word_ids
        longest = max(map(len, word_ids))
        padded = [ids + [ids[0]] * (longest - len(ids)) for ids in word_ids]
        # on the device from the start: a graph that is captured can copy nothing there
        self._tokens = torch.tensor(padded, device=self.device)
        self._lengths = torch.tensor([len(ids) for ids in word_ids], device=self.device)

    def tensors(self) -> Mapping[str, Tensor]:
        return {"tokens": self._tokens, "lengths": self._lengths}

    def chosen(self, logits: Tensor, batch: MicroBatch, of_rows: Mapping[str, Tensor]) -> Tensor:
        """The words are the same for every row of a lane."""
        tokens, lengths = of_rows["tokens"], of_rows["lengths"]  # (B, C, W), (B, C)
        index = tokens.flatten(1)[:, None].expand(-1, logits.shape[1], -1)
        by_word = logits.gather(2, index).view(*logits.shape[:2], *tokens.shape[1:])  # (B, K, C, W)
        sums = by_word[..., 0]
        for at in range(1, tokens.shape[2]):
            sums = torch.where(lengths[:, None] > at, sums + by_word[..., at], sums)
        return sums / lengths[:, None] if tokens.shape[2] > 1 else sums


class CandidateHead(WordHead):
    """The log-probability of the token wanted at each position: a choice scores its candidates by the mean over their
    tokens, all masked at once or said one after the other.
    """

    def chosen(self, logits: Tensor, batch: MicroBatch, of_rows: Mapping[str, Tensor]) -> Tensor:
        return logits.float().log_softmax(dim=2).gather(2, batch.tokens[..., None])


def row_scores(batch: MicroBatch, states: Tensor, stacked: Stacked) -> Tensor:
    """(B, K, H) -> (B, K, C), each row's states at the positions that are read through its own lane's head.

    With gradients on, what a linear head reads is dropped out by the rows' seeds.
    """
    head = stacked.head
    assert head is not None, "these lanes have no heads"
    draws = stacked.draws(batch, "head") if head.takes_dropout else None
    if draws is not None:
        states = states * draws.multipliers(tuple(states.shape[1:]))
    return head.scores(states, batch, stacked.head_by_row(batch.owners))


def build_head(kind: HeadKind, backbone: Backbone, task: Task, num_label_words: int = 0) -> Head:
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
        raise UnfitModel(f"the tokenizer does not know the label word {word!r}; choose another verbalizer")
    return ids
