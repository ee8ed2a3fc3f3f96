"""Which of a tokenizer's tokens are text: what a prompt or a label word can be made of."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

_MARK = re.compile(r"[\[<].+[\]>]")  # [unused7], <0x0A>, <reserved_3>: places kept free or bytes, which nobody can type
_UNREADABLE = "\ufffd"  # what a piece of a character decodes to


@lru_cache(maxsize=4)  # every lane of a loop asks, and 250,000 tokens take seconds
def token_texts(tokenizer: Any, count: int) -> tuple[str, ...]:
    """The first `count` tokens as text, each without the spaces around it."""
    return tuple(text.strip() for text in tokenizer.batch_decode([[token] for token in range(count)]))


def text_tokens(tokenizer: Any, size: int) -> Tensor:
    """(V,) for an embedding table of `size` rows: True at tokens that are text.

    Not at special and added tokens, at rows without a token, at spaces, at parts of characters or at reserved marks.
    """
    num_known = min(size, len(tokenizer))
    texts = token_texts(tokenizer, num_known)
    fit = [bool(text) and _UNREADABLE not in text and not _MARK.fullmatch(text) for text in texts]
    is_text = torch.tensor(fit + [False] * (size - num_known))
    for token in {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}:
        if token < size:
            is_text[token] = False
    return is_text
