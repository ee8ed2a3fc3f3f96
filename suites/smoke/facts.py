"""Facts about who did what to whom, and the ways to say each: verbs and their converses, active and passive voice.

A fact holds between two people. What follows from it is any other way to say it; what does not is the same sentence
with the people changed round, the relation turned, or another person or thing in it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from .document import Document
from .lexicon import COLOURS, PEOPLE, THINGS

SWAPPED_SHARE = 0.4  # of falsehoods: the roles changed round


@dataclass(frozen=True)
class Verb:
    """A way to say a relation: `{x}` acts on `{y}`, and `{t}` is the thing between them.

    `helper` asks and denies ("did", "is", "was"); `past` is what stands in a plain statement, `base` after a helper.
    """

    subject: str
    helper: str
    past: str
    base: str
    rest: str

    def say(self) -> str:
        return f"{self.subject} {self.past} {self.rest}"

    def deny(self) -> str:
        return f"{self.subject} {self.helper} not {self.base} {self.rest}".replace("  ", " ")

    def ask(self) -> str:
        return f"{self.helper} {self.subject} {self.base} {self.rest}".replace("  ", " ")


def _did(subject: str, past: str, base: str, rest: str) -> Verb:
    return Verb(subject, "did", past, base, rest)


def _be(helper: str, subject: str, predicate: str) -> Verb:
    return Verb(subject, helper, f"{helper} {predicate}", predicate, "")


def _transfer(give: tuple[str, str, str], take: tuple[str, str]) -> tuple[Verb, ...]:
    past, base, participle = give
    return (
        _did("{x}", past, base, "the {t} to {y}"),
        _did("{y}", *take, "the {t} from {x}"),
        _be("was", "the {t}", participle + " to {y} by {x}"),
    )


def _order(more: str, less: str) -> tuple[Verb, ...]:
    return (_be("is", "{x}", f"{more} than {{y}}"), _be("is", "{y}", f"{less} than {{x}}"))


# Each relation with all the ways to say it; every way names both people.
RELATIONS: tuple[tuple[Verb, ...], ...] = (
    _transfer(("sold", "sell", "sold"), ("bought", "buy")),
    _transfer(("gave", "give", "given"), ("got", "get")),
    _transfer(("lent", "lend", "lent"), ("borrowed", "borrow")),
    _order("taller", "shorter"),
    _order("older", "younger"),
    _order("richer", "poorer"),
    (_did("{x}", "led", "lead", "{y}"), _did("{y}", "followed", "follow", "{x}"), _be("was", "{y}", "led by {x}")),
    (_be("is", "{x}", "a parent of {y}"), _be("is", "{y}", "a child of {x}")),
)


@dataclass(frozen=True)
class Fact:
    """A relation that holds from `x` to `y`, with a thing between them where the relation has one."""

    relation: int
    x: str
    y: str
    thing: str

    def words(self, text: str) -> str:
        return " ".join(text.format(x=self.x, y=self.y, t=self.thing).split())

    def verb(self, rng: random.Random) -> Verb:
        return rng.choice(RELATIONS[self.relation])


def fact(rng: random.Random) -> Fact:
    """Any fact."""
    x, y = rng.sample(PEOPLE, 2)
    return Fact(rng.randrange(len(RELATIONS)), x, y, f"{rng.choice(COLOURS)} {rng.choice(THINGS)}")


def falsehood(rng: random.Random, true: Fact) -> Fact:
    """A fact that does not follow: the roles changed round, or another person or thing."""
    if rng.random() < SWAPPED_SHARE:
        return replace(true, x=true.y, y=true.x)
    has_thing = "{t}" in RELATIONS[true.relation][0].say()
    if has_thing and rng.random() < 0.5:
        noun = rng.choice([thing for thing in THINGS if thing not in true.thing])
        return replace(true, thing=f"{true.thing.split()[0]} {noun}")
    stranger = rng.choice([name for name in PEOPLE if name not in (true.x, true.y)])
    return replace(true, x=stranger) if rng.random() < 0.5 else replace(true, y=stranger)


def claim(rng: random.Random, true: Fact, holds: bool) -> str:
    """A statement that follows from `true` exactly when `holds`; one in eight says so by denying."""
    denied = rng.random() < 0.125
    claimed = true if holds != denied else falsehood(rng, true)
    verb = claimed.verb(rng)
    return claimed.words(verb.deny() if denied else verb.say())


def report(rng: random.Random) -> Document:
    """A fact, and what people say or ask about it; its topic is the relation."""
    true = fact(rng)
    statement = true.words(true.verb(rng).say()) + " ."
    topic = f"relation {true.relation}"
    if rng.random() < 0.4:
        return Document((statement, rng.choice(("", "so ", "that is , ")) + claim(rng, true, True) + " ."), topic)
    holds = rng.random() < 0.5
    asked = true if holds else falsehood(rng, true)
    question = asked.words(asked.verb(rng).ask())
    return Document((statement, f"{question} ? {'yes' if holds else 'no'} ."), topic)


def entailment_row(rng: random.Random) -> dict[str, str]:
    """A task row: a premise, and a hypothesis that follows from it or not."""
    true, holds = fact(rng), rng.random() < 0.5
    premise = true.words(true.verb(rng).say()) + " ."
    return {"premise": premise, "hypothesis": claim(rng, true, holds) + " .", "label": "yes" if holds else "no"}
