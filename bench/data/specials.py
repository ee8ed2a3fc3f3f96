"""What a tokenizer puts around texts, learned from what it does to a probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError


@dataclass(frozen=True)
class Special:
    """A tokenizer's special tokens and where they stand."""

    tokenizer: Any
    single: tuple[list[int], list[int]]  # before, after one text
    pair: tuple[list[int], list[int], list[int]]  # before, between, after two
    types: tuple[int, int]  # token types of the first and the second text
    pool: int  # index in the sequence of the token to read for all of it: from its start, or -1 for the last
    placeholder: int  # stands at slots until the attachment fills them
    mask: int | None
    causal: bool = False  # a token sees only those before it: the next token is scored, not one at a mask

    def whole(self, start: int, length: int) -> int:
        """The position to read for a sequence of `length` positions whose text begins at `start`."""
        return length - 1 if self.pool < 0 else start + self.pool


def special(tokenizer: Any, causal: bool = False) -> Special:
    """Learn the special tokens by encoding a probe alone and as a pair. UsageError when they cannot be told apart."""
    first = tokenizer("a", add_special_tokens=False)["input_ids"]
    second = tokenizer("b", add_special_tokens=False)["input_ids"]
    alone, pair = tokenizer("a")["input_ids"], tokenizer("a", "b")
    at = _find(alone, first)
    ids = pair["input_ids"]
    pair_at = _find(ids, first)
    second_at = _find(ids, second, pair_at + len(first))
    types = pair.get("token_type_ids") or [0] * len(ids)
    return Special(
        tokenizer=tokenizer,
        single=(alone[:at], alone[at + len(first) :]),
        pair=(ids[:pair_at], ids[pair_at + len(first) : second_at], ids[second_at + len(second) :]),
        types=(types[pair_at], types[second_at]),
        pool=-1 if causal else 0,
        placeholder=int(tokenizer.pad_token_id or 0),
        mask=tokenizer.mask_token_id,
        causal=causal,
    )


def _find(ids: list[int], part: list[int], start: int = 0) -> int:
    for index in range(start, len(ids) - len(part) + 1):
        if ids[index : index + len(part)] == part:
            return index
    raise UsageError("this tokenizer changes a text when it adds special tokens; it cannot be used here")
