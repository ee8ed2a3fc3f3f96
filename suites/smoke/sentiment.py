"""Opinions: reviews whose verdict takes composition. Negation turns a clause round and the main clause wins.

The words alone point to the verdict of most rows, as in real reviews; the rest need the sentence.
"""

from __future__ import annotations

import random

from .document import Document
from .lexicon import BAD, CRITICS, DEGREES, GOOD, HATE, LIKE, SUBJECTS

DENIED_SHARE = 0.4  # of clauses


def clause(rng: random.Random, good: bool, subject: str) -> str:
    """One clause that judges `subject`; some of them do so by denying the opposite."""
    denied = rng.random() < DENIED_SHARE
    pleasant = good != denied
    adjective = rng.choice(GOOD if pleasant else BAD)
    base, past = rng.choice(LIKE if pleasant else HATE)
    critic = rng.choice(CRITICS)
    if denied:
        forms = (
            f"the {subject} was not {adjective}",
            f"the {subject} was never {adjective}",
            f"nobody called the {subject} {adjective}",
            f"{critic} did not {base} the {subject}",
            f"there was nothing {adjective} about the {subject}",
        )
    else:
        forms = (
            f"the {subject} was {adjective}",
            f"the {subject} was {rng.choice(DEGREES)} {adjective}",
            f"{critic} called the {subject} {adjective}",
            f"{critic} {past} the {subject}",
            f"there was something {adjective} about the {subject}",
        )
    return rng.choice(forms)


def review(rng: random.Random, good: bool) -> str:
    """A review of one or two clauses whose verdict is `good`; where two disagree, the main clause is the verdict."""
    first, second = rng.sample(SUBJECTS, 2)
    kind = rng.random()
    if kind < 0.3:
        return f"{clause(rng, good, first)} ."
    if kind < 0.45:
        return f"{clause(rng, good, first)} and {clause(rng, good, second)} ."
    verdict, concession = clause(rng, good, first), clause(rng, not good, second)
    return rng.choice(
        (
            f"{concession} but {verdict} .",
            f"although {concession} , {verdict} .",
            f"{verdict} although {concession} .",
            f"{concession} , yet {verdict} .",
        )
    )


def described(rng: random.Random, good: bool) -> str:
    """A plain description whose words are all of one kind: how a learner first sees which words go together."""
    first, second = rng.sample(GOOD if good else BAD, 2)
    _, past = rng.choice(LIKE if good else HATE)
    article = "an" if first[0] in "aeiou" else "a"
    subject = rng.choice(SUBJECTS)
    return rng.choice(
        (
            f"{article} {first} and {second} {subject} .",
            f"{rng.choice(CRITICS)} {past} the {first} , {second} {subject} .",
            f"what {article} {first} , {second} evening !",
            f"in short , {first} and {second} .",
            f"so i call that {first} and {second} .",
        )
    )


def feeling(rng: random.Random, good: bool) -> str:
    """How somebody feels after it, or what they will do."""
    if good:
        return rng.choice(("we will come again .", "i was happy .", "thank you .", "try it ."))
    return rng.choice(("we will never come again .", "i was sad .", "shame on you .", "avoid it ."))


def opinion(rng: random.Random) -> Document:
    """A review or a description, and what goes with it.

    Nothing in it has the words of the task's cloze pattern, and no text is followed by its label.
    """
    good = rng.random() < 0.5
    first = review(rng, good) if rng.random() < 0.6 else described(rng, good)
    second = described(rng, good) if rng.random() < 0.7 else feeling(rng, good)
    return Document((first, second), "opinion")


def sentiment_row(rng: random.Random) -> dict[str, str]:
    """A task row: a review and whether its verdict is positive."""
    good = rng.random() < 0.5
    return {"text": review(rng, good), "label": "positive" if good else "negative"}
