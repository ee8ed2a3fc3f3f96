"""Rows about facts: which of two claims follows, and who did what in a context of two facts."""

from __future__ import annotations

import random
from typing import Any

from .facts import RELATIONS, Fact, claim, fact
from .lexicon import PEOPLE


def consequence_row(rng: random.Random) -> dict[str, Any]:
    """A task row: a premise and two claims, one of which follows from it."""
    true, right = fact(rng), rng.randrange(2)
    premise = true.words(true.verb(rng).say()) + " ."
    claims = [claim(rng, true, at == right) + " ." for at in range(2)]
    return {"premise": premise, "choices": [{"choice": text} for text in claims], "label": right}


def question_row(rng: random.Random) -> dict[str, Any]:
    """A task row: two facts between four people, and who it is that stands in one of them."""
    people = rng.sample(PEOPLE, 4)
    first, second = fact(rng), fact(rng)
    facts = (_between(first, *people[:2]), _between(second, *people[2:]))
    context = " ".join(known.words(known.verb(rng).say()) + " ." for known in facts)
    asked = rng.choice(facts)
    ways = [verb for verb in RELATIONS[asked.relation] if verb.subject in ("{x}", "{y}")]
    verb = rng.choice(ways)
    answer = asked.x if verb.subject == "{x}" else asked.y
    question = asked.words(verb.say().replace(verb.subject, "who", 1)) + " ?"
    return {"question": question, "context": context, "answers": [{"text": answer, "start": _place(context, answer)}]}


def sentences(context: str) -> tuple[str, ...]:
    """The facts of a context."""
    return tuple(f"{text} ." for text in context.removesuffix(" .").split(" . "))


def _between(known: Fact, x: str, y: str) -> Fact:
    return Fact(known.relation, x, y, known.thing)


def _place(context: str, word: str) -> int:
    """The character at which a whole word stands."""
    return f" {context}".index(f" {word} ")
