"""A trigger made of the vocabulary's own tokens, and how better ones are proposed.

Shape legend: P prompt length, H width of word embeddings, V vocabulary, K candidates.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bench.model.backbone import Backbone
from bench.model.prompts import Prompts
from bench.model.searched import Searched
from bench.model.vocabulary import token_texts


class TriggerTokens(Searched):
    """A token of the vocabulary in every slot, the same for every input.

    A step looks at one position, drawn at random. A token's loss there is estimated to first order (HotFlip, Ebrahimi
    et al. 2018, arXiv:1712.06751): e_token · gradient, but for what all tokens share. The K lowest of those `allowed`
    (V,) are proposed.
    """

    def __init__(self, backbone: Backbone, ids: Tensor, allowed: Tensor, num_candidates: int) -> None:
        super().__init__()
        self._backbone = [backbone]  # in a list, so that the backbone's parameters do not become this module's
        self.ids = nn.Parameter(ids, requires_grad=False)  # (P,)
        self.num_candidates = num_candidates
        self.allowed: Tensor
        self.register_buffer("allowed", allowed, persistent=False)
        self._proposed: list[Tensor] = []

    @property
    def table(self) -> Tensor:
        return self._backbone[0].word_embeddings

    def make(self) -> Prompts:
        return Prompts(slots=self.table[self.ids])

    def propose(self, gradient: Tensor, generator: torch.Generator) -> list[Prompts]:
        place = int(torch.randint(len(self.ids), (1,), generator=generator))
        tokens = self.candidates(gradient[place], place)
        self._proposed = [self._with(place, token) for token in tokens]
        return [Prompts(slots=self.table[ids]) for ids in self._proposed]

    def candidates(self, gradient: Tensor, place: int) -> Tensor:
        """(K,) the tokens of the lowest estimated loss at a place of the trigger, best first, without its own."""
        losses = self.table @ gradient.float()
        losses[~self.allowed] = torch.inf
        losses[self.ids[place]] = torch.inf
        count = min(self.num_candidates, int(torch.isfinite(losses).sum()))
        return losses.topk(count, largest=False).indices

    def _with(self, place: int, token: Tensor) -> Tensor:
        ids = self.ids.detach().clone()
        ids[place] = token
        return ids

    def take(self, number: int) -> None:
        with torch.no_grad():
            self.ids.copy_(self._proposed[number])

    def leave_out(self, tokens: Tensor) -> None:
        self.allowed[tokens.flatten()] = False

    def found(self) -> dict[str, Any]:
        tokenizer, ids = self._backbone[0].tokenizer, self.ids.tolist()
        return {"trigger": tokenizer.decode(ids), "trigger_tokens": tokenizer.convert_ids_to_tokens(ids)}

    def stored(self) -> dict[str, Tensor]:
        return {"trigger": self.ids.detach().clone()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            self.ids.copy_(tensors["trigger"])


def capitalised_tokens(tokenizer: Any, size: int) -> Tensor:
    """(V,) True at tokens that begin with a capital letter, names above all."""
    num_known = min(size, len(tokenizer))
    capital = [text[:1].isupper() for text in token_texts(tokenizer, num_known)]
    return torch.tensor(capital + [False] * (size - num_known))
