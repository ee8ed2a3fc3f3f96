"""Rows of tasks that read every token: words to be tagged, contexts to find a span in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.data.kind import LayoutSpec
from bench.data.rows import Item, Row
from bench.data.specials import Special
from bench.errors import UsageError
from bench.task import Example

MARK = "*"  # stands before and after a word that is marked by its position
LONGEST_QUESTION = 64  # tokens of a question; a longer one is cut at its end
START, END = 1, 2  # the bits of a span's targets


def tagged(spec: LayoutSpec, examples: Sequence[Example]) -> Iterator[Item]:
    """One item per example: the head reads each word's first subword (its last, where a token sees only those before).

    A sentence longer than its room is cut at its end; one with a marked word begins late enough for the mark to
    stand in the middle of what is read. Words that are not read keep no target; nor do those of which the tokenizer
    makes nothing (a zero-width space), and a sentence of such words alone has no position to read.
    """
    special, store, front = spec.special, spec.store, spec.slots.count
    before, after = special.single
    room = spec.max_length - len(before) - len(after)
    tokens = store.tokens(special.tokenizer, [example.words for example in examples])
    (mark,) = [store.tokens(special.tokenizer, [(MARK,)]).ids_of(0)]
    offset = front + len(before)
    for number, example in enumerate(examples):
        ids, words = tokens.ids_of(number), tokens.words_of(number)
        if not ids:
            yield Item(number, (_nothing(special, front),), [], [], True)
            continue
        firsts = [at for at in range(len(ids)) if at == 0 or words[at] != words[at - 1]]
        if example.marks:
            ids, firsts = _marked(ids, firsts, [words[at] for at in firsts], example.marks, mark)
        places = [words[at] for at in range(len(words)) if at == 0 or words[at] != words[at - 1]]
        begin = 0
        if len(ids) > room and example.marks:
            centre = next((at for at, place in zip(firsts, places, strict=True) if place in example.marks), 0)
            begin = min(max(0, centre - room // 2), len(ids) - room)
        kept = [(at, place) for at, place in zip(firsts, places, strict=True) if begin <= at < begin + room]
        whole = [special.placeholder] * front + before + ids[begin : begin + room] + after
        read = [at for at, _ in kept]
        if special.causal:
            read = _lasts(read, firsts, words, min(len(ids), begin + room))
        row = Row(
            ids=whole,
            types=[special.types[0]] * (len(whole) - len(after)) + special.ends[0],
            slots=list(range(front)),
            read=[offset + at - begin for at in read],
        )
        targets = [example.labels[place] for _, place in kept]
        cut = len(ids) > room or len(kept) < len(example.words)
        yield Item(number, (row,), targets, [place for _, place in kept], cut)


def _nothing(special: Special, front: int) -> Row:
    """The row of a sentence without tokens: what stands around one, and never no position at all."""
    before, after = special.single
    whole = [special.placeholder] * front + before + after or [special.placeholder]
    types = [special.types[0]] * (len(whole) - len(after)) + special.ends[0]
    return Row(whole, types, list(range(front)), [])


def _lasts(read: list[int], firsts: list[int], words: list[int], end: int) -> list[int]:
    """The last token of each word that begins at `read`; a mark after a word belongs to none."""
    starts = [at for at in range(len(words)) if at == 0 or words[at] != words[at - 1]]
    lengths = {
        first: stop - start for first, start, stop in zip(firsts, starts, [*starts[1:], len(words)], strict=True)
    }
    return [min(first + lengths[first], end) - 1 for first in read]


def _marked(
    ids: list[int], firsts: list[int], places: list[int], marks: Sequence[int], mark: list[int]
) -> tuple[list[int], list[int]]:
    """The tokens with `mark` before and after each marked word, and where the words' first tokens now stand."""
    marked: list[int] = []
    moved: list[int] = []
    for at, place, end in zip(firsts, places, [*firsts[1:], len(ids)], strict=True):
        around = mark if place in marks else []
        marked += around
        moved.append(len(marked))
        marked += [*ids[at:end], *around]
    return marked, moved


def windows(spec: LayoutSpec, examples: Sequence[Example], overlap: int) -> Iterator[Item]:
    """Items of question and context, at least one per example: the head reads [CLS] and every token of the context.

    A context longer than its room becomes several windows, neighbours having `overlap` tokens in common. The target
    is the first answer's first and last token where the window holds all of it, else [CLS] for both.
    """
    special, store, front, room = spec.special, spec.store, spec.slots.count, spec.max_length
    before, between, after = special.pair
    questions = store.tokens(special.tokenizer, [example.texts["question"].strip() for example in examples])
    contexts = store.tokens(special.tokenizer, [example.texts["context"] for example in examples])
    for number, example in enumerate(examples):
        question, ids, spans = questions.ids_of(number), contexts.ids_of(number), contexts.spans_of(number)
        most = max(1, min(LONGEST_QUESTION, room // 2))
        head = [special.placeholder] * front + before + question[:most] + between
        size = room - (len(head) - front) - len(after)
        if size < 2:
            raise UsageError(f"a question of {min(len(question), most)} tokens leaves no room; raise --max-length")
        step = size - min(overlap, size // 2)
        start = 0
        while True:
            part = spans[start : start + size]
            whole = head + ids[start : start + size] + after or [special.placeholder]
            types = [special.types[0]] * len(head) + [special.types[1]] * len(part) + special.ends[1]
            types += [special.types[0]] * (len(whole) - len(types))  # of a question and a context without tokens
            read = [special.whole(front, len(whole)), *range(len(head), len(head) + len(part))]
            row = Row(whole, types, list(range(front)), read)
            targets = _span_targets(example, part)
            yield Item(number, (row,), targets, [0] * len(read), len(question) > most, part)
            if start + size >= len(ids):
                break
            start += step


def _span_targets(example: Example, spans: list[tuple[int, int]]) -> list[int]:
    """For [CLS] and each token of a window: START, END, both or neither."""
    targets = [0] * (len(spans) + 1)
    answer = next((answer for answer in example.answers if answer.start >= 0), None)
    first = last = None
    if answer is not None and spans and spans[0][0] <= answer.start:
        end = answer.start + len(answer.text.rstrip())
        first = next((at for at, span in enumerate(spans, 1) if span[1] > answer.start), None)
        last = next((at for at, span in enumerate(spans, 1) if span[1] >= end), None)
    if first is None or last is None:
        targets[0] = START | END
    else:
        targets[first] |= START
        targets[last] |= END
    return targets
