"""Text for pretraining a family of small models: articles as one array of token ids, cut into rows of a fixed length.

Shape legend: B rows, T tokens of a row, M masked tokens of a row.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

LENGTH = 128  # tokens of a row, its [CLS] and [SEP]s included
MASKED = 19  # of them, 15 %: as many in each row, so that all batches have one shape
POSITIONS = 512
HELD_OUT = 0.01  # of the tokens, at the end of the text: whole articles but one
TOGETHER = 256  # articles given to the tokenizer at once


@dataclass(frozen=True)
class Marks:
    """Ids of the tokenizer's own tokens, and how many tokens it has."""

    cls: int
    sep: int
    mask: int
    size: int


def articles(path: Path) -> Iterator[str]:
    """The articles of a text file, `.gz` or plain: lines are paragraphs, a blank line ends an article."""
    open_text = gzip.open if path.suffix == ".gz" else open
    paragraphs: list[str] = []
    with open_text(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip():
                paragraphs.append(line.strip())
            elif paragraphs:
                yield "\n".join(paragraphs)
                paragraphs = []
    if paragraphs:
        yield "\n".join(paragraphs)


def encode(path: Path, tokenizer: Tokenizer, out: Path) -> int:
    """Write the ids of all articles, each with [SEP] behind it, to `out` (uint16, `.npy`); how many there are."""
    sep = tokenizer.token_to_id("[SEP]")
    parts: list[np.ndarray] = []
    waiting: list[str] = []

    def take() -> None:
        encodings = tokenizer.encode_batch_fast(waiting, add_special_tokens=False)
        parts.extend(np.asarray([*encoding.ids, sep], dtype=np.uint16) for encoding in encodings)
        waiting.clear()

    for article in articles(path):
        waiting.append(article)
        if len(waiting) == TOGETHER:
            take()
    take()
    ids = np.concatenate(parts)
    np.save(out, ids, allow_pickle=False)
    return len(ids)


def divided(path: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """The ids to train on, and those held out, on the device."""
    ids = torch.from_numpy(np.load(path, allow_pickle=False).astype(np.int32)).to(device)
    border = int(len(ids) * (1 - HELD_OUT))
    return ids[:border], ids[border:]


@dataclass(frozen=True)
class Batch:
    """Rows of one length, none padded. `at` are the places of the masked tokens, `wanted` what stood there."""

    ids: Tensor  # B T
    types: Tensor  # B T
    positions: Tensor  # B T
    at: Tensor  # B M
    wanted: Tensor  # B M


class Rows:
    """Rows of LENGTH tokens from an array of ids, masked anew each time: 80 % [MASK], 10 % another token, 10 % as was.

    Half of the rows are two pieces with [SEP] between and token types 0 and 1, so that the second type has a meaning
    (no next-sentence prediction). From the step `moved_from` on half are moved to later positions, since prompts in
    front of a text move it; not before, since a model of 11M parameters then takes thrice the steps to learn to attend
    to neighbours (loss after 1,200 steps: 5.1 without, 6.4 with).
    """

    def __init__(self, ids: Tensor, marks: Marks, seed: int, moved_from: int = 0) -> None:
        self.ids, self.marks, self.seed, self.moved_from = ids, marks, seed, moved_from
        self.content = LENGTH - 2
        self.num_rows = (len(ids) - self.content) // self.content

    def batch(self, step: int, size: int) -> Batch:
        """The rows of a step, which depend on nothing but the seed, the step and the size of a batch."""
        device = self.ids.device
        steps_of_a_pass = self.num_rows // size
        passed, within = divmod(step, steps_of_a_pass)
        order = self._generator(1, passed)
        begin = torch.randint(self.content, (), generator=order, device=device)  # another cut in each pass
        chosen = torch.randperm(self.num_rows, generator=order, device=device)[within * size : (within + 1) * size]
        share = 0.5 if step >= self.moved_from else 0.0
        return self._laid_out(begin + chosen * self.content, self._generator(2, step), share)

    def _generator(self, use: int, number: int) -> torch.Generator:
        return torch.Generator(self.ids.device).manual_seed((self.seed * 2 + use) * 10_000_019 + number)

    def _laid_out(self, starts: Tensor, generator: torch.Generator, share_moved: float) -> Batch:
        device, size = self.ids.device, len(starts)

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=device)

        place = torch.arange(LENGTH, device=device)
        # the place of the [SEP] between two pieces; behind the row's own [SEP] where there is one piece
        middle = torch.where(uniform(size) < 0.5, (2 + uniform(size) * (LENGTH - 5)).long(), LENGTH)[:, None]
        ids = self.ids[starts[:, None] + (place - 1 - (place > middle).long()).clamp(0, self.content - 1)].long()
        ids[:, 0] = self.marks.cls
        ids = torch.where((place == middle) | (place == LENGTH - 1), self.marks.sep, ids)
        free = (ids != self.marks.cls) & (ids != self.marks.sep)
        at = torch.where(free, uniform(size, LENGTH), -1.0).topk(MASKED, dim=1).indices
        wanted = ids.gather(1, at)
        fate = uniform(size, MASKED)
        strangers = (uniform(size, MASKED) * self.marks.size).long()
        shown = torch.where(fate < 0.8, self.marks.mask, torch.where(fate > 0.9, strangers, wanted))
        moved = torch.where(uniform(size) < share_moved, (uniform(size) * (POSITIONS - LENGTH + 1)).long(), 0)[:, None]
        return Batch(ids.scatter(1, at, shown), (place > middle).long(), moved + place, at, wanted)
