"""A task's forms, plain and cloze, as one pattern of pieces laid out for a tokenizer.

Slots are positions in the sequence like any other, so [CLS] and [MASK] indices and truncation are right by
construction; the attachment later only fills in what stands at them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.data.kind import LayOut, LayoutSpec
from bench.data.rows import Item, Row
from bench.data.tokens import Tokens
from bench.errors import UsageError
from bench.task import CANDIDATE, MASK_MARK, SEP_MARK, SLOT_MARK, Example, Task

FINAL_PUNCTUATION = tuple(".!?,;:")  # what a field loses at its end when the pattern's own punctuation follows
_MARKS = re.compile(r"\{\w+\}|\[P\]|\[MASK\]|\[SEP\]|(?:(?!\{\w+\}|\[P\]|\[MASK\]|\[SEP\]).)+", re.S)


@dataclass(frozen=True)
class Piece:
    """A run of the sequence: fixed tokens, a field to be cut when too long, slots, or the mask."""

    role: Literal["text", "field", "slots", "mask", "sep"]
    value: str = ""
    count: int = 0


def parse(pattern: str, slot_count: int) -> list[Piece]:
    """Cut a pattern into pieces; `slot_count` slots are shared out over its `[P]` marks, the first ones getting more.

    A space belongs to what follows it, as byte-pair tokenizers want it; `Piece.count` of a field is 1 when a space
    stands before it.
    """
    marks = _MARKS.findall(pattern)
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
            text = " " + mark.strip() if space else mark.rstrip()  # of the spaces around slots, one stays
            space = mark != mark.rstrip()
            if text.strip():
                pieces.append(Piece("text", text))
    return pieces


class FormLayout:
    """A pattern for one tokenizer: `lay` makes a Row of a sequence of texts.

    Slots stand before everything or, where the plan has them there and the pattern such marks, at its `[P]`. With
    `candidate` the mask stands for the text's own candidate, one mask per token, and the row says which token is wanted
    at each.
    """

    def __init__(self, spec: LayoutSpec, pattern: str, candidate: bool = False) -> None:
        self.special, self.store, self.candidate = spec.special, spec.store, candidate
        self.context, special = list(spec.context), spec.special
        at_marks = spec.slots.place == "pattern" and SLOT_MARK in pattern
        self.front = 0 if at_marks else spec.slots.count
        if special.causal and MASK_MARK in pattern:
            pattern = pattern[: pattern.index(MASK_MARK) + len(MASK_MARK)]  # what follows could not be seen
        self.pieces = parse(pattern, spec.slots.count if at_marks else 0)
        self.paired = any(piece.role == "sep" for piece in self.pieces)
        masked = any(piece.role == "mask" for piece in self.pieces)
        if masked and special.mask is None and not special.causal:
            raise UsageError("this tokenizer has no mask token, so a cloze pattern cannot be laid out")
        # a candidate's masks are counted with its tokens (a decoder wants one mask for all of them, and as many tokens
        # fed); where the next token is scored there is no mask
        self.num_masks = int(masked and not candidate and not special.causal)
        self.around = special.pair if self.paired else special.single
        self.end_types = special.ends[int(self.paired)]
        self.room = spec.max_length - sum(map(len, self.around))  # tokens for everything but slots

    @classmethod
    def of_task(cls, task: Task, spec: LayoutSpec) -> FormLayout:
        """The task's form that the plan asks for."""
        if spec.cloze and task.pattern is not None:
            return cls(spec, task.pattern, candidate=task.facts.cloze == "candidates")
        return cls(spec, task.plain)

    def lay(self, texts: Sequence[Mapping[str, str]]) -> list[tuple[Row, bool]]:
        """A row for each text, and whether it had to be cut."""
        return [(self._row(parts), cut) for parts, cut in self.parts(texts)]

    def parts(self, texts: Sequence[Mapping[str, str]]) -> Iterator[tuple[list[list[int]], bool]]:
        """The tokens of each piece for each text, and whether some had to be cut for the room there is."""
        columns = [self._column(index, texts) for index in range(len(self.pieces))]
        for number in range(len(texts)):
            parts = [column.ids_of(number) if column else [] for column in columns]
            yield _shortened(parts, self.pieces, self.room - self.num_masks)

    def joined(self, parts: Sequence[Sequence[int]], between: Sequence[int]) -> list[int]:
        """The pieces as one text, with the candidate at [MASK] and `between` at [SEP]."""
        pairs = zip(self.pieces, parts, strict=True)
        return [token for piece, part in pairs for token in (between if piece.role == "sep" else part)]

    def _column(self, index: int, texts: Sequence[Mapping[str, str]]) -> Tokens | None:
        """Tokens of one piece for every text."""
        piece, tokenizer = self.pieces[index], self.special.tokenizer
        if piece.role == "text":
            return self.store.tokens(tokenizer, [piece.value] * len(texts))
        if piece.role == "mask" and self.candidate:
            candidates = (text[CANDIDATE].strip() for text in texts)
            return self.store.tokens(tokenizer, [" " + (text.rstrip(" .") or text) for text in candidates])
        if piece.role != "field":
            return None
        follower = self.pieces[index + 1].value if index + 1 < len(self.pieces) else ""
        space = " " if piece.count else ""
        values = [text[piece.value].strip() for text in texts]
        if follower.startswith(FINAL_PUNCTUATION):
            values = [text.rstrip("".join((*FINAL_PUNCTUATION, " "))) for text in values]
        return self.store.tokens(tokenizer, [space + text if text else "" for text in values])

    def _row(self, parts: list[list[int]]) -> Row:
        special = self.special
        before, *rest = self.around
        ids = [special.placeholder] * self.front + list(before) + self.context
        kind = special.types[0]
        types = [kind] * len(ids)
        slots, tokens = list(range(self.front)), []
        read: list[int] = []
        decoder = list(special.opening)
        for piece, part in zip(self.pieces, parts, strict=True):
            if piece.role == "sep":
                ids += rest[0]
                types += [kind] * len(rest[0])
                kind = special.types[1]
                continue
            if piece.role == "slots":
                part = [special.placeholder] * piece.count
                slots += range(len(ids), len(ids) + piece.count)
            elif piece.role == "mask" and self.candidate and not part:
                part = [special.placeholder]  # a candidate of which the tokenizer makes nothing is one token
            if piece.role == "mask" and special.causal:
                if not ids and any(piece.role == "field" for piece in self.pieces):
                    ids, types = [special.placeholder], [kind]  # the tokenizer makes nothing of them
                if not ids:
                    raise UsageError("nothing stands before [MASK] from which the next token could be told")
                tokens = part  # each is told from the position before it; the last one itself is not needed
                read = list(range(len(ids) - 1, len(ids) - 1 + max(1, len(part))))
                part = part[:-1]
            elif piece.role == "mask" and decoder:
                decoder = special.fed([token for at, token in enumerate(ids) if at not in slots])
                first = len(decoder) - 1
                tokens, part = part, [special.mask or 0]
                decoder += tokens[:-1]
                read = list(range(first, len(decoder)))
            elif piece.role == "mask":
                tokens, part = part, [special.mask or 0] * (len(part) if self.candidate else 1)
                read = list(range(len(ids), len(ids) + len(part)))
            ids += part
            types += [kind] * len(part)
        if not (read and special.causal):  # what ends a text would come after the token that is scored
            ids += rest[-1]
            types += self.end_types
        if not ids:  # nor has the tokenizer anything to put around
            ids, types = [special.placeholder], [kind]
        whole = len(decoder) - 1 if decoder else special.whole(self.front, len(ids))
        return Row(ids, types, slots, read or [whole], tokens, decoder)


def whole_texts(task: Task, spec: LayoutSpec, targets: Callable[[Example], Sequence[float]]) -> LayOut:
    """Lays each example as one row of the task's form, read at one position; `targets` says what is wanted there."""
    form = FormLayout.of_task(task, spec)

    def lay(examples: Sequence[Example]) -> list[Item]:
        rows = form.lay([example.texts for example in examples])
        return [
            Item(number, (row,), list(targets(example)), [0], cut)
            for number, (example, (row, cut)) in enumerate(zip(examples, rows, strict=True))
        ]

    return lay


def _shortened(parts: list[list[int]], pieces: list[Piece], room: int) -> tuple[list[list[int]], bool]:
    """Cut the longest fields at their ends until everything but slots fits in `room` tokens."""
    excess = sum(map(len, parts)) - room
    if excess <= 0:
        return parts, False
    lengths = {at: len(part) for at, part in enumerate(parts) if pieces[at].role == "field"}
    for _ in range(excess):
        longest = max(lengths, key=lambda at: lengths[at], default=None)
        if longest is None or lengths[longest] <= 1:
            raise UsageError(f"a pattern's own words need more than the {room} tokens left; raise --max-length")
        lengths[longest] -= 1
    return [part[: lengths[at]] if at in lengths else part for at, part in enumerate(parts)], True
