"""Every tag scheme reads the same, and a sequence that its scheme does not allow is named."""

from __future__ import annotations

import random

import pytest

from bench.data.tags import to_bio
from bench.errors import UsageError

Span = tuple[int, int, str]  # first word, last word, type
TYPES = ("PER", "ARGM-LOC", "C-ARG1-DSP")


def written(scheme: str, length: int, spans: list[Span]) -> list[str]:
    """The tags of a sentence, from the schemes' definitions. Spans are in order and do not overlap."""
    tags = ["O"] * length
    last_of_before: dict[int, str] = {}
    for first, last, kind in spans:
        for word in range(first, last + 1):
            tags[word] = f"I-{kind}"
        if scheme in ("BIOES", "BILOU"):
            begin, end, single = ("B", "E", "S") if scheme == "BIOES" else ("B", "L", "U")
            tags[first], tags[last] = f"{begin}-{kind}", f"{end}-{kind}"
            if first == last:
                tags[first] = f"{single}-{kind}"
        elif scheme == "IOB2" or last_of_before.get(first - 1) == kind:
            tags[first] = f"B-{kind}"
        last_of_before[last] = kind
    return tags


def random_spans(rng: random.Random, length: int) -> list[Span]:
    spans, word = [], 0
    while word < length:
        last = min(length - 1, word + rng.randrange(3))
        if rng.random() < 0.7:
            spans.append((word, last, rng.choice(TYPES)))
        word = last + 1
    return spans


# Each scheme's own marks: one word, two words, neighbours of one type; with them no scheme can be taken for another.
ALL_MARKS: tuple[int, list[Span]] = (5, [(0, 0, "PER"), (1, 2, "PER"), (4, 4, "C-ARG1-DSP")])


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
def test_random_spans_are_the_same_bio_in_every_scheme(scheme: str) -> None:
    rng = random.Random(0)
    for _ in range(50):
        drawn = [(length, random_spans(rng, length)) for length in (rng.randint(1, 12) for _ in range(10))]
        sentences = [ALL_MARKS, *drawn]
        places = [f"f:{at}" for at in range(len(sentences))]
        found = to_bio([written(scheme, *sentence) for sentence in sentences], places)
        assert found == [written("IOB2", *sentence) for sentence in sentences]


@pytest.mark.parametrize(
    ("tags", "bio"),
    [
        ("I-A B-A I-B O I-A", "B-A B-A B-B O B-A"),  # IOB1, by hand
        ("B-A I-A B-A O B-B", "B-A I-A B-A O B-B"),  # IOB2
        ("B-A I-A E-A S-A S-B", "B-A I-A I-A B-A B-B"),  # BIOES
        ("B-A I-A L-A U-A U-B", "B-A I-A I-A B-A B-B"),  # BILOU
        ("S-A O", "B-A O"),
        ("I-A I-A I-B-C I-B-C", "B-A I-A B-B-C I-B-C"),  # types may hold dashes
        ("O O", "O O"),
    ],
)
def test_tags_become_bio(tags: str, bio: str) -> None:
    assert to_bio([tags.split()], ["f:1"]) == [bio.split()]


def test_one_sentence_tells_the_scheme_of_the_whole_split() -> None:
    """`B-A` alone is an entity in IOB2 and unfinished in BIOES; `I-A` alone is one in IOB1 only."""
    assert to_bio([["B-A"], ["B-A", "I-A"]], ["f:1", "f:3"]) == [["B-A"], ["B-A", "I-A"]]
    assert to_bio([["I-A", "B-A"], ["I-A"]], ["f:1", "f:4"]) == [["B-A", "B-A"], ["B-A"]]
    with pytest.raises(UsageError, match="f:1: the sentence's end stands inside of A, which BIOES does not allow"):
        to_bio([["B-A"], ["S-A"]], ["f:1", "f:3"])


def test_nothing_is_in_bio_already() -> None:
    assert to_bio([], []) == []


BROKEN = {
    "O O / O I-B I-A B-A / I-A B-B": "f:2: I-B follows O, which IOB2 does not allow; nor are the tags IOB1: "
    "f:3: B-B follows I-A",
    "B-A I-B": "f:1: I-B follows B-A, which IOB2 does not allow; nor are the tags IOB1: f:1: B-A begins a sentence",
    "S-A / O B-A O": "f:2: O (word 2) stands inside of A, which BIOES does not allow",
    "S-A / B-A I-A": "f:2: the sentence's end stands inside of A, which BIOES does not allow",
    "S-A / B-A B-A E-A": "f:2: B-A (word 1) stands inside of A, which BIOES does not allow",
    "S-A / B-A S-A": "f:2: S-A (word 1) stands inside of A, which BIOES does not allow",
    "B-A E-B": "f:1: E-B (word 1) stands inside of A, which BIOES does not allow",
    "O E-A": "f:1: E-A (word 1) stands outside of any span, which BIOES does not allow",
    "S-A I-A E-A": "f:1: I-A (word 1) stands outside of any span, which BIOES does not allow",
    "U-A / O L-A": "f:2: L-A (word 1) stands outside of any span, which BILOU does not allow",
    "U-A / B-A U-A": "f:2: U-A (word 1) stands inside of A, which BILOU does not allow",
    "U-A / O / S-B": "tags mix BILOU ('U-A' at f:1) with BIOES ('S-B' at f:3); a split has one scheme",
    "O / O PER": "f:2: 'PER' is no tag; expected O, or one of B I E S L U, a dash and a type",
    "B-": "f:1: 'B-' is no tag; expected O, or one of B I E S L U, a dash and a type",
    "B": "f:1: 'B' is no tag; expected O, or one of B I E S L U, a dash and a type",
    "O-A": "f:1: 'O-A' is no tag; expected O, or one of B I E S L U, a dash and a type",
    "M-A": "f:1: 'M-A' is no tag; expected O, or one of B I E S L U, a dash and a type",
}


@pytest.mark.parametrize(("tags", "message"), BROKEN.items(), ids=BROKEN)
def test_a_broken_sequence_is_named_with_its_place_its_tag_and_the_scheme(tags: str, message: str) -> None:
    sentences = [sentence.split() for sentence in tags.split("/")]
    with pytest.raises(UsageError) as error:
        to_bio(sentences, [f"f:{at}" for at in range(1, len(sentences) + 1)])
    assert str(error.value) == message
