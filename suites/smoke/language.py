"""The small language as a whole: the text a model is pretrained on, the vocabulary, and the rows of the tasks.

Everything is drawn from `random.Random(seed)`. A sentence belongs to the dev side or not by a hash of its words, so
train, dev and pretraining text have no sentence in common that a dev row is about.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from .document import Document
from .entities import notice, tagged_sentence
from .facts import entailment_row, report
from .lexicon import ACTIONS, ANIMALS, PLACES
from .questions import consequence_row, question_row, sentences
from .sentiment import opinion, sentiment_row

SIZES = {"train": 1200, "dev": 400}
DEV_SHARE = 4  # one sentence in so many is on the dev side
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def is_dev(sentence: str) -> bool:
    """Whether a sentence is kept for dev rows."""
    return zlib.crc32(sentence.encode()) % DEV_SHARE == 0


@cache  # a plan hashes them and a run reads them, again for every plan of a process
def rows(split: str, seed: int, draw: Callable[[random.Random], dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a split: distinct, on the split's side of the hash, numbered by `idx`."""
    rng = random.Random(seed)
    by_text: dict[str, dict[str, Any]] = {}
    while len(by_text) < SIZES[split]:
        row = draw(rng)
        text = _told(row)
        parts = sentences(text) if "context" in row else (text,)
        if text not in by_text and all(is_dev(part) == (split == "dev") for part in parts):
            by_text[text] = row
    return [{"idx": index, **row} for index, row in enumerate(by_text.values())]


def _told(row: dict[str, Any]) -> str:
    """What a row is about: its text, premise, context, or words."""
    return next(
        (str(row[name]) for name in ("text", "premise", "context") if name in row), " ".join(row.get("words", ()))
    )


def _tagged_row(rng: random.Random) -> dict[str, Any]:
    words, tags = tagged_sentence(rng)
    return {"words": words, "tags": tags}


def sentiment(split: str) -> list[dict[str, Any]]:
    """Reviews and their verdicts."""
    return rows(split, 101, sentiment_row)


def entailment(split: str) -> list[dict[str, Any]]:
    """Premises and what follows from them or not."""
    return rows(split, 102, entailment_row)


def entities(split: str) -> list[dict[str, Any]]:
    """Sentences with the names in them tagged."""
    return rows(split, 103, _tagged_row)


def consequence(split: str) -> list[dict[str, Any]]:
    """Premises and two claims of which one follows."""
    return rows(split, 104, consequence_row)


def questions(split: str) -> list[dict[str, Any]]:
    """Contexts and who did what in them."""
    return rows(split, 105, question_row)


def scene(rng: random.Random) -> Document:
    """One or two sentences about animals, where the verb agrees with the noun in number."""
    sentences = []
    for _ in range(rng.choice((1, 2))):
        is_plural = rng.random() < 0.5
        subject = f"{rng.choice(('the', 'two', 'many') if is_plural else ('the', 'a', 'one'))} {rng.choice(ANIMALS)}"
        verb = rng.choice(ACTIONS)
        sentences.append(
            f"{subject}s {verb} {rng.choice(PLACES)} ." if is_plural else f"{subject} {verb}s {rng.choice(PLACES)} ."
        )
    return Document((" ".join(sentences),), "scene")


KINDS: tuple[Callable[[random.Random], Document], ...] = (opinion, report, notice, scene)
KIND_WEIGHTS = (5, 10, 3, 1)


def documents(seed: int) -> Iterator[Document]:
    """The pretraining text, without end; no part of it is what a dev row is about."""
    rng = random.Random(seed)
    while True:
        document = rng.choices(KINDS, KIND_WEIGHTS)[0](rng)
        if not any(is_dev(part) for part in document.parts):
            yield document


def vocabulary() -> list[str]:
    """Special tokens, then every word piece of the language in alphabetical order.

    Found by drawing much text; the words of the tasks' cloze patterns are added. Plural and third-person endings
    are pieces of their own (dog ##s), so that some words have two tokens.
    """
    text = documents(7)
    words = {word for _ in range(20_000) for part in next(text).parts for word in re.findall(r"\w+|[^\w\s]", part)}
    words |= {"a", "b", "it", "was", "is", "so", "true", "question", "answer", ":", ";", "?", "!"}
    endings = {word for word in words if word.endswith("s") and word[:-1] in words}
    return [*SPECIAL_TOKENS, "##s", *sorted(words - endings)]
