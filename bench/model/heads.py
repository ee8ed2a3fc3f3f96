"""Heads: hidden states to scores, the same code for every method.

Shape legend: R positions read, H hidden size, C classes or columns, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.label_words import LabelWords
from bench.model.reparam import INIT_STD, normal_
from bench.spec import HeadKind, Task


class LinearHead(nn.Module):
    """One linear layer on each position read: [CLS] for classification and for each candidate of a choice, a word's
    first subword for tagging, [CLS] and every token of the context for spans (bench.model.families says what is read
    where there is no [CLS]).

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


class VerbalizerHead(nn.Module):
    """The language-model head's scores of the classes' words at [MASK]; adds no parameters.

    A word of several subwords scores the mean of their scores.
    """

    def __init__(self, backbone: Backbone, word_ids: list[list[int]]) -> None:
        super().__init__()
        self._backbone = [backbone]  # in a list, so that the backbone's parameters do not become this module's
        self.word_ids = word_ids
        self.single = torch.tensor([ids[0] for ids in word_ids]) if all(len(ids) == 1 for ids in word_ids) else None

    def forward(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """(R, H) -> (R, C); the words are the same for every row, so `tokens` is not asked."""
        logits = self._backbone[0].lm_logits(hidden)  # (R, V)
        if self.single is not None:
            return logits[:, self.single.to(logits.device)]
        return torch.stack([logits[:, ids].mean(dim=1) for ids in self.word_ids], dim=1)


class CandidateHead(nn.Module):
    """The language-model head's log-probability of the token wanted at each position: a choice scores its candidates
    by the mean over their tokens, all masked at once or said one after the other. Adds no parameters.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self._backbone = [backbone]

    def forward(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """(R, H), (R,) -> (R, 1)."""
        logits = self._backbone[0].lm_logits(hidden).float()  # (R, V)
        return logits.gather(1, tokens[:, None]) - logits.logsumexp(dim=1, keepdim=True)


def build_head(kind: HeadKind, backbone: Backbone, task: Task, num_label_words: int = 0) -> nn.Module:
    """The head of a cell; a linear one draws its initial values from torch's default generator.

    With `num_label_words` a verbalizer's words are so many for each class, and still to be searched for.
    """
    if kind == "linear":
        return LinearHead(backbone.geometry.hidden, task.columns, bias=not task.positions_compete)
    if task.kind == "choice":
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
