"""What a tokenizer puts around texts, learned from what it does to a probe."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from bench.errors import UsageError


@dataclass(frozen=True)
class Reader:
    """How a model reads a text and where it says a word.

    By default its tokens see both ways, and the word is said at the mask. `causal`: a token sees only those before it,
    and the next token is said. `start`: a decoder says it, and this token comes first there, or with `wraps` the token
    that the tokenizer puts last; after it comes the `sentinel` that stands for the mask in the text or, where the
    family has none, the text up to the mask. With `wordless` no word is said, and nothing but the start is fed.
    """

    causal: bool = False
    start: int | None = None
    sentinel: str = ""
    wraps: bool = False
    wordless: bool = False


@dataclass(frozen=True)
class Special:
    """A tokenizer's special tokens and where they stand."""

    tokenizer: Any
    single: tuple[list[int], list[int]]  # before, after one text
    pair: tuple[list[int], list[int], list[int]]  # before, between, after two
    types: tuple[int, int]  # token types of the first and the second text
    ends: tuple[list[int], list[int]]  # token types of what comes after one text, after two
    pool: int  # index in the sequence of the token to read for all of it: from its start, or -1 for the last
    placeholder: int  # stands at slots until the attachment fills them
    mask: int | None
    causal: bool = False  # a token sees only those before it: the next token is scored, not one at a mask
    opening: tuple[int, ...] = ()  # what a decoder is fed before a word when no text comes before it; empty without one
    repeats: bool = False  # a decoder is fed the text before the mask too
    start: int = 0  # its first token, where it repeats

    @property
    def layout(self) -> str:
        """All of it but the tokenizer, as one text: where it is equal, equal tokens are laid out alike."""
        return repr([(field.name, getattr(self, field.name)) for field in fields(self) if field.name != "tokenizer"])

    def whole(self, start: int, length: int) -> int:
        """The position to read for a sequence of `length` positions whose text begins at `start`."""
        return length - 1 if self.pool < 0 else start + self.pool

    def fed(self, before: list[int]) -> list[int]:
        """What a decoder is fed before the masked word of a text that begins with the tokens `before`."""
        return [self.start, *before] if self.repeats else list(self.opening)


def special(tokenizer: Any, reader: Reader | None = None) -> Special:
    """Learn the special tokens by encoding a probe alone and as a pair. UsageError when they cannot be told apart.

    All of a sequence is read at its first token, but at its last one where a token sees only those before, or where
    the tokenizer puts nothing in front.
    """
    reader = reader or Reader()
    first = tokenizer("a", add_special_tokens=False)["input_ids"]
    second = tokenizer("b", add_special_tokens=False)["input_ids"]
    single, pair = tokenizer("a"), tokenizer("a", "b")
    alone, ids = single["input_ids"], pair["input_ids"]
    at, pair_at = _find(alone, first), _find(ids, first)
    second_at = _find(ids, second, pair_at + len(first))
    end, pair_end = at + len(first), second_at + len(second)
    types = pair.get("token_type_ids") or [0] * len(ids)
    mask = tokenizer.mask_token_id
    if reader.sentinel:
        vocabulary = tokenizer.get_vocab()  # where sentencepiece has the sentinels (mT5), they begin with its space
        mask = vocabulary.get(reader.sentinel, vocabulary.get(f"\N{LOWER ONE EIGHTH BLOCK}{reader.sentinel}"))
    return Special(
        tokenizer=tokenizer,
        single=(alone[:at], alone[end:]),
        pair=(ids[:pair_at], ids[pair_at + len(first) : second_at], ids[pair_end:]),
        types=(types[pair_at], types[second_at]),
        ends=((single.get("token_type_ids") or [0] * len(alone))[end:], types[pair_end:]),
        pool=-1 if reader.causal or not at else 0,
        placeholder=int(tokenizer.pad_token_id or 0),
        mask=mask,
        causal=reader.causal,
        opening=_opening(reader, alone[:at], alone[end:], mask),
        repeats=reader.start is not None and not reader.sentinel,
        start=alone[-1] if reader.wraps and alone[end:] else reader.start or 0,
    )


def _opening(reader: Reader, before: list[int], after: list[int], mask: int | None) -> tuple[int, ...]:
    if reader.start is None:
        return ()
    if reader.wordless:
        return (reader.start,)
    if reader.wraps and after:
        return (*after, *before)
    if not reader.sentinel:
        return (reader.start, *before)
    if mask is None:
        raise UsageError(f"this tokenizer has no token {reader.sentinel}, which stands for a masked word")
    return (reader.start, mask)


def _find(ids: list[int], part: list[int], start: int = 0) -> int:
    for index in range(start, len(ids) - len(part) + 1):
        if ids[index : index + len(part)] == part:
            return index
    raise UsageError("this tokenizer changes a text when it adds special tokens; it cannot be used here")
