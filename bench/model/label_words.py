"""Label words that are searched for: a set of words for each class, and what tells which words they are.

Shape legend: B rows, K positions read of a row, R positions, N examples, H width of the output embeddings, V
vocabulary, C classes, W words of a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench.data.batches import MicroBatch
from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.vocabulary import text_tokens
from bench.model.word_head import WordHead


class LabelWords(WordHead):
    """A class's probability is the sum over its words (Shin et al. 2020, arXiv:2010.15980, equation 1).

    The words are not known before `choose`. They stand in a parameter that no optimizer moves, so that they are kept
    with the head.
    """

    def __init__(self, backbone: Backbone, classes: tuple[str, ...], num_words: int) -> None:
        super().__init__(backbone)
        self.classes = classes
        self.words = nn.Parameter(torch.zeros(len(classes), num_words, dtype=torch.long), requires_grad=False)

    def tensors(self) -> Mapping[str, Tensor]:
        return {"words": self.words}

    def chosen(self, logits: Tensor, batch: MicroBatch, of_rows: Mapping[str, Tensor]) -> Tensor:
        """Logs of the sums, but for what the classes share."""
        words = of_rows["words"]  # (B, C, W)
        index = words.flatten(1)[:, None].expand(-1, logits.shape[1], -1)
        word_logits = logits.float().gather(2, index).view(*logits.shape[:2], *words.shape[1:])  # (B, K, C, W)
        # not logsumexp: a softmax takes a row as a row, in whatever company
        return word_logits[..., 0] - word_logits.log_softmax(dim=-1)[..., 0]

    def states(self, hidden: Tensor) -> Tensor:
        """(R, H) what the language-model head multiplies the output embeddings with, for hidden states read there."""
        caught: list[Tensor] = []
        hook = self._table().register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
        try:
            self._backbone[0].lm_logits(hidden)
        finally:
            hook.remove()
        weight: Tensor = self._table().weight  # type: ignore[assignment]
        if not caught or caught[0].shape[-1] != weight.shape[1]:
            raise _no_table(self._backbone[0])
        return caught[0].reshape(len(hidden), -1)

    def choose(self, states: Tensor, labels: Tensor) -> None:
        """Take for each class the W words of the vocabulary that are likeliest to be of it.

        A logistic classifier of `states` (N, H) with `labels` (N,) is asked about each word's output embedding
        (section 2.3). UsageError when a class has no example.
        """
        from sklearn.linear_model import LogisticRegression

        missing = sorted(set(range(len(self.classes))) - set(labels.tolist()))
        if missing:
            raise UsageError(f"no train row is {self.classes[missing[0]]!r}, so its label words cannot be searched for")
        classifier = LogisticRegression(max_iter=1000).fit(states.double().cpu().numpy(), labels.cpu().numpy())
        weight: Tensor = self._table().weight  # type: ignore[assignment]
        scores = torch.from_numpy(classifier.predict_log_proba(weight.detach().double().cpu().numpy()))  # (V, C)
        scores[~text_tokens(self._backbone[0].tokenizer, len(scores))] = -torch.inf
        with torch.no_grad():
            self.words.copy_(scores.topk(self.words.shape[1], dim=0).indices.T)

    def found(self) -> dict[str, Any]:
        """The words of each class."""
        decode = self._backbone[0].tokenizer.convert_ids_to_tokens
        return {"label_words": {name: decode(ids) for name, ids in zip(self.classes, self.words.tolist(), strict=True)}}

    def _table(self) -> nn.Module:
        table: nn.Module | None = self._backbone[0].model.get_output_embeddings()  # type: ignore[operator]
        if table is None:
            raise _no_table(self._backbone[0])
        return table


def _no_table(backbone: Backbone) -> UsageError:
    kind = type(backbone.model).__name__
    return UsageError(f"the language-model head of {kind} is no table of words to search label words in; give them")
