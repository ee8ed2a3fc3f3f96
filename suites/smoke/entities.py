"""Names in sentences. The same words name persons, places and firms; the sentence, near or far, tells which.

Second words of names (hill, may, king …) are also common words, so that a name's end is not in its words either.
"""

from __future__ import annotations

import random
import re

from .document import Document
from .lexicon import NAMES, PEOPLE, SECONDS, TIMES

TYPES = ("PER", "LOC", "ORG")
TAGS = ("O", *(f"{part}-{kind}" for kind in TYPES for part in "BI"))

# What tells a name's type stands before it, after it, or far from it (behind a comma or in the next sentence).
SENTENCES: dict[str, tuple[str, ...]] = {
    "PER": (
        "<PER> said that {time} was cold",
        "we met <PER> at the church {time}",
        "the letter was written by <PER>",
        "<PER> married <PER> {time}",
        "{time} <PER> , who plays the piano , fell ill",
        "a letter from <PER> came {time}",
        "the king gave a rose to <PER>",
        "i sat near <PER> and his wife",
    ),
    "LOC": (
        "it rained in <LOC> {time}",
        "the road from <LOC> to <LOC> is long",
        "<LOC> lies near a lake",
        "<LOC> , where the stone bell hangs , was built {time}",
        "a train from <LOC> came {time}",
        "we drove to <LOC> {time}",
        "the house is near <LOC> and its coast",
        "they flew over <LOC> {time}",
    ),
    "ORG": (
        "<ORG> hired forty people {time}",
        "the shares of <ORG> fell {time}",
        "<ORG> bought a factory from <ORG>",
        "<ORG> , which makes clocks , was closed {time}",
        "a bill from <ORG> came {time}",
        "they work for <ORG> and its owners",
        "{time} <ORG> paid its workers more",
        "<ORG> may sell its lamps {time}",
    ),
    "far": (
        "{time} they talked about <{kind}> . {about}",
        "the news is about <{kind}> . {about}",
        "<{kind}> was in the news {time} . {about}",
        "everyone knows <{kind}> . {about}",
        "i read about <{kind}> and <{kind}> . {about}",
    ),
    "mixed": (
        "<PER> moved from <LOC> to <LOC> {time}",
        "<PER> works for <ORG> in <LOC>",
        "<ORG> hired <PER> {time}",
        "<ORG> opened an office in <LOC>",
        "<PER> left <ORG> {time}",
        "the king of <LOC> met <PER> near the wood",
        "<PER> may leave <LOC> {time}",
        "<PER> sold the field to <ORG>",
    ),
    "none": (
        "the rose by the church is red",
        "we may walk in the park {time}",
        "a stone fell from the hill",
        "the king and his son saw the lake",
        "the bell in the field was old",
    ),
}
ABOUT = {
    "PER": ("his son is ill", "he plays the drum", "she sings at the church", "her wife was born there"),
    "LOC": ("it lies by a lake", "the streets are old", "many tourists go there", "its coast is long"),
    "ORG": ("its shares fell", "the owners are rich", "its workers want more", "it makes lamps"),
}


def name(rng: random.Random, kind: str) -> list[str]:
    """The words of a name: one or two, at times three; how many says nothing about the type."""
    words = [rng.choice(NAMES)]
    if rng.random() < 0.5:
        words.append(rng.choice(SECONDS if rng.random() < 0.7 else NAMES))
    if rng.random() < 0.1:
        words.insert(0, rng.choice(NAMES))
    if kind == "PER" and rng.random() < 0.1:
        words[0] = rng.choice(PEOPLE)
    return words


def tagged_sentence(rng: random.Random) -> tuple[list[str], list[str]]:
    """Words and their BIO tags, one tag a word."""
    group = rng.choices(("PER", "LOC", "ORG", "far", "mixed", "none"), (2, 2, 2, 6, 4, 1))[0]
    kind = rng.choice(TYPES)
    template = rng.choice(SENTENCES[group]).replace("{kind}", kind)
    template = template.replace("{about}", rng.choice(ABOUT[kind])).replace("{time}", rng.choice(TIMES))
    words: list[str] = []
    tags: list[str] = []
    for word in template.split():
        slot = re.fullmatch(r"<(\w+)>", word)
        filling = name(rng, slot[1]) if slot else [word]
        words += filling
        tags += [f"B-{slot[1]}"] + [f"I-{slot[1]}"] * (len(filling) - 1) if slot else ["O"]
    return [*words, "."], [*tags, "O"]


def notice(rng: random.Random) -> Document:
    """One or two sentences with names, which need not have to do with one another."""
    return Document((" ".join(" ".join(tagged_sentence(rng)[0]) for _ in range(rng.choice((1, 1, 2)))),), "notice")
