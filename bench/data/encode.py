"""Examples become token ids, with the prompt slots already in their places.

Both forms of a task are one pattern: plain is `{a}[SEP]{b}`, cloze is the task's own. Slots are positions in the
sequence like any other, so [CLS] and [MASK] indices, token labels and truncation are right by construction; the
attachment later only fills in what stands at them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.errors import UsageError
from bench.spec import MASK_MARK, SEP_MARK, SLOT_MARK, Example, Slots, Task

Form = Literal["plain", "cloze"]
FINAL_PUNCTUATION = tuple(".!?,;:")  # what a field loses at its end when the pattern's own punctuation follows


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence for the backbone. Positions count from 0, slots included.

    The head reads the hidden states at `read`; `targets[i]` is the class wanted at `read[i]`, which answers
    `example.labels[places[i]]`.
    """

    example: int
    ids: list[int]
    types: list[int]
    slots: list[int]  # slots[i] is the position of prompt vector i
    read: list[int]
    places: list[int]
    targets: list[int]
    cut: bool  # the text was longer than max_length


@dataclass(frozen=True)
class Specials:
    """What a tokenizer puts around one or two texts, learned from what it does to a probe."""

    single: tuple[list[int], list[int]]  # before, after
    pair: tuple[list[int], list[int], list[int]]  # before, between, after
    types: tuple[int, int]  # token types of the first and the second text
    pool: int  # index of the token to read for the whole sequence, in `before`


@dataclass(frozen=True)
class Piece:
    """A run of the sequence: fixed tokens, a field to be cut when too long, slots, or the mask."""

    kind: Literal["text", "field", "slots", "mask", "sep"]
    value: str = ""
    count: int = 0


def specials(tokenizer: Any) -> Specials:
    """Learn the special tokens by encoding a probe alone and as a pair."""
    first = tokenizer("a", add_special_tokens=False)["input_ids"]
    second = tokenizer("b", add_special_tokens=False)["input_ids"]
    alone, pair = tokenizer("a"), tokenizer("a", "b")
    at = _find(alone["input_ids"], first)
    pair_at = _find(pair["input_ids"], first)
    second_at = _find(pair["input_ids"], second, pair_at + len(first))
    types = pair.get("token_type_ids") or [0] * len(pair["input_ids"])
    ids = pair["input_ids"]
    return Specials(
        single=(alone["input_ids"][:at], alone["input_ids"][at + len(first) :]),
        pair=(ids[:pair_at], ids[pair_at + len(first) : second_at], ids[second_at + len(second) :]),
        types=(types[pair_at], types[second_at]),
        pool=0,
    )


def _find(ids: list[int], part: list[int], start: int = 0) -> int:
    for index in range(start, len(ids) - len(part) + 1):
        if ids[index : index + len(part)] == part:
            return index
    raise UsageError("this tokenizer changes a text when it adds special tokens; it cannot be used here")


class Encoder:
    """Lays out a task's examples for one tokenizer, form and slot plan.

    `max_length` bounds text and special tokens (slots come on top); the longest field is cut first, at its end.
    """

    def __init__(self, tokenizer: Any, task: Task, form: Form, slots: Slots, max_length: int) -> None:
        self.tokenizer, self.task, self.max_length = tokenizer, task, max_length
        self.specials = specials(tokenizer)
        self.placeholder = int(tokenizer.pad_token_id or 0)
        self.front = slots.count
        if task.kind == "tagging":
            self.pieces: list[Piece] = []
            return
        pattern = SEP_MARK.join(f"{{{name}}}" for name in task.texts)
        if form == "cloze":
            pattern = task.pattern or pattern
            if slots.place == "pattern" and SLOT_MARK in pattern:
                self.front = 0
        self.pieces = parse(pattern, 0 if self.front else slots.count)

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """One Row per example, in order."""
        if self.task.kind == "tagging":
            return self._tagging(examples)
        return self._patterned(examples)

    def _patterned(self, examples: Sequence[Example]) -> list[Row]:
        columns = [self._tokenized(index, examples) for index in range(len(self.pieces))]
        return [
            self._lay(number, example, [column[number] if column else [] for column in columns])
            for number, example in enumerate(examples)
        ]

    def _tokenized(self, index: int, examples: Sequence[Example]) -> list[list[int]]:
        """Token ids of one piece for every example: a column, tokenised in one batch."""
        piece = self.pieces[index]
        if piece.kind == "text":
            ids = self.tokenizer(piece.value, add_special_tokens=False)["input_ids"]
            return [ids] * len(examples)
        if piece.kind != "field":
            return []
        follower = self.pieces[index + 1].value if index + 1 < len(self.pieces) else ""
        space = " " if piece.count else ""
        texts = [example.texts[piece.value].strip() for example in examples]
        if follower.startswith(FINAL_PUNCTUATION):
            texts = [text.rstrip("".join((*FINAL_PUNCTUATION, " "))) for text in texts]
        found = self.tokenizer([space + text for text in texts], add_special_tokens=False)["input_ids"]
        return list(found)

    def _lay(self, number: int, example: Example, parts: list[list[int]]) -> Row:
        paired = any(piece.kind == "sep" for piece in self.pieces)
        around = sum(map(len, self.specials.pair if paired else self.specials.single))
        masks = sum(piece.kind == "mask" for piece in self.pieces)
        parts, cut = _shortened(parts, self.pieces, self.max_length - around - masks)
        before, *rest = self.specials.pair if paired else self.specials.single
        ids = [self.placeholder] * self.front + list(before)
        types = [self.specials.types[0]] * len(ids)
        slots, read, kind = list(range(self.front)), [self.front + self.specials.pool], self.specials.types[0]
        for piece, part in zip(self.pieces, parts, strict=True):
            if piece.kind == "sep":
                ids += rest[0]
                types += [kind] * len(rest[0])
                kind = self.specials.types[1]
                continue
            if piece.kind == "slots":
                part = [self.placeholder] * piece.count
                slots += range(len(ids), len(ids) + piece.count)
            elif piece.kind == "mask":
                part = [self.tokenizer.mask_token_id]
                read = [len(ids)]
            ids += part
            types += [kind] * len(part)
        ids += rest[-1]
        types += [kind] * len(rest[-1])
        return Row(number, ids, types, slots, read, [0], list(example.labels), cut)

    def _tagging(self, examples: Sequence[Example]) -> list[Row]:
        """Words in a row; the head reads each word's first subword, words past max_length are not read."""
        found = self.tokenizer(
            [list(example.words) for example in examples], is_split_into_words=True, add_special_tokens=False
        )
        before, after = self.specials.single
        room = self.max_length - len(before) - len(after)
        rows = []
        for number, example in enumerate(examples):
            ids, words = found["input_ids"][number], found.word_ids(number)
            offset = self.front + len(before)
            firsts = [at for at in range(min(len(ids), room)) if at == 0 or words[at] != words[at - 1]]
            places = [words[at] for at in firsts]
            whole = [self.placeholder] * self.front + before + list(ids[:room]) + after
            rows.append(
                Row(
                    example=number,
                    ids=whole,
                    types=[self.specials.types[0]] * len(whole),
                    slots=list(range(self.front)),
                    read=[offset + at for at in firsts],
                    places=places,
                    targets=[example.labels[place] for place in places],
                    cut=len(ids) > room,
                )
            )
        return rows


def parse(pattern: str, slot_count: int) -> list[Piece]:
    """Cut a pattern into pieces; `slot_count` slots are shared out over its `[P]` marks, the first ones getting more.

    A space belongs to what follows it, as byte-pair tokenizers want it; `Piece.count` of a field is 1 when a space
    stands before it.
    """
    marks = re.findall(r"\{\w+\}|\[P\]|\[MASK\]|\[SEP\]|(?:(?!\{\w+\}|\[P\]|\[MASK\]|\[SEP\]).)+", pattern, re.S)
    total, taken = marks.count(SLOT_MARK), 0
    pieces: list[Piece] = []
    space = False
    for mark in marks:
        if mark == SLOT_MARK:
            share = slot_count // total + (taken < slot_count % total)
            taken += 1
            if share:
                pieces.append(Piece("slots", count=share))
        elif mark in (MASK_MARK, SEP_MARK):
            pieces.append(Piece("mask" if mark == MASK_MARK else "sep"))
            space = False
        elif mark.startswith("{"):
            pieces.append(Piece("field", mark[1:-1], count=int(space)))
            space = False
        else:
            text = (" " if space else "") + mark.rstrip()
            space = mark != mark.rstrip()
            if text.strip():
                pieces.append(Piece("text", text))
    return pieces


def _shortened(parts: list[list[int]], pieces: list[Piece], room: int) -> tuple[list[list[int]], bool]:
    """Cut the longest fields at their ends until everything but slots fits in `room` tokens."""
    excess = sum(map(len, parts)) - room
    if excess <= 0:
        return parts, False
    lengths = {at: len(part) for at, part in enumerate(parts) if pieces[at].kind == "field"}
    for _ in range(excess):
        longest = max(lengths, key=lambda at: lengths[at])
        if lengths[longest] <= 1:
            raise UsageError(f"a pattern's own words need more than the {room} tokens left; raise --max-length")
        lengths[longest] -= 1
    return [part[: lengths[at]] if at in lengths else part for at, part in enumerate(parts)], True
