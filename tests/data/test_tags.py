"""Every tag scheme reads as conlleval reads it, and what a scheme does not allow is counted with its place."""

from __future__ import annotations

import random

import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from bench.data.tags import BOTH, STRAY, STRAY_B, STRAY_I, to_bio
from bench.data.tally import Tally
from bench.errors import UsageError
from bench.score.spans import spans

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


def read(sentences: list[list[str]]) -> tuple[list[list[str]], dict[str, int], str]:
    """In BIO; what was counted, by the reason; and where each was first."""
    repaired = Tally()
    found = to_bio(sentences, lambda sentence, word: f"{sentence}.{word}", repaired)
    return found, dict(repaired.counts), repaired.listed(with_places=True)


def conlleval_chunks(tags: list[str]) -> list[Span]:
    """The chunks of a sentence as the evaluation script of CoNLL-2000 describes them, by its two tables.

    A chunk ends before a tag, and begins at one, as the pair of marks says or where the type changes. L is E, U is S.
    """
    ends = {"BB", "BO", "BS", "IB", "IO", "IS", "EE", "EI", "EO", "EB", "ES", "SE", "SI", "SO", "SB", "SS"}
    begins = {"BB", "IB", "OB", "OI", "OE", "OS", "EE", "EI", "EB", "ES", "SE", "SI", "SB", "SS", "BS", "IS"}
    found: list[Span] = []
    first, before, before_type = -1, "O", ""
    for at, tag in enumerate([*tags, "O"]):
        mark, _, kind = tag.partition("-")
        mark = {"L": "E", "U": "S"}.get(mark, mark)
        if before != "O" and (before + mark in ends or kind != before_type):
            found.append((first, at - 1, before_type))
        if mark != "O" and (before + mark in begins or kind != before_type):
            first = at
        before, before_type = mark, kind
    return found


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
        found = read([written(scheme, *sentence) for sentence in sentences])
        assert found == ([written("IOB2", *sentence) for sentence in sentences], {}, "")


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
    assert read([tags.split()]) == ([bio.split()], {}, "")


def test_nothing_is_in_bio_already() -> None:
    assert read([]) == ([], {}, "")


BIOES, BILOU = STRAY.format("BIOES"), STRAY.format("BILOU")
REPAIRED = {  # sentences; the same in BIO; what is counted, how often, and at which sentence and word first
    "B- after O in IOB1": ("I-A I-A B-A / O B-B O / I-B", "B-A I-A B-A / O B-B O / B-B", STRAY_B, 1, "1.1"),
    "B- after another type in IOB1": ("I-A B-B / I-A / I-A", "B-A B-B / B-A / B-A", STRAY_B, 1, "0.1"),
    "I- after O in IOB2": ("B-A I-A / O I-A I-A / B-B", "B-A I-A / O B-A I-A / B-B", STRAY_I, 1, "1.1"),
    "I- after another type in IOB2": ("B-A I-B I-B / B-A", "B-A B-B I-B / B-A", STRAY_I, 1, "0.1"),
    "as many of both": ("B-A I-B / O / B-B", "B-A B-B / O / B-B", STRAY_I, 1, "0.1"),
    "IOB2 among BIOES": ("S-A / B-A I-A / B-A O", "B-A / B-A I-A / B-A O", BIOES, 2, "1.1"),
    "B- twice": ("S-A / B-A B-A E-A", "B-A / B-A B-A I-A", BIOES, 1, "1.1"),
    "S- after B-": ("B-A S-A", "B-A B-A", BIOES, 1, "0.1"),
    "E- of another type": ("B-A E-B", "B-A B-B", BIOES, 1, "0.1"),
    "E- after O": ("O E-A", "O B-A", BIOES, 1, "0.1"),
    "E- after E- (IOE2)": ("I-A E-A E-A", "B-A I-A B-A", BIOES, 2, "0.0"),
    "I- after E-": ("B-A E-A I-A E-A", "B-A I-A B-A I-A", BIOES, 1, "0.2"),
    "I- after S-": ("S-A I-A", "B-A B-A", BIOES, 2, "0.1"),
    "L- after O": ("U-A / O L-A", "B-A / O B-A", BILOU, 1, "1.1"),
    "U- after B-": ("B-A U-A", "B-A B-A", BILOU, 1, "0.1"),
    "both alphabets": ("U-A / O / S-B / B-A L-A / B-A E-A", "B-A / O / B-B / B-A I-A / B-A I-A", BOTH, 1, "0.0"),
}  # fmt: skip


@pytest.mark.parametrize(("tags", "bio", "reason", "count", "place"), REPAIRED.values(), ids=REPAIRED)
def test_what_a_scheme_does_not_allow_is_read_by_conllevals_rule_and_counted(
    tags: str, bio: str, reason: str, count: int, place: str
) -> None:
    sentences, expected = ([part.split() for part in text.split("/")] for text in (tags, bio))
    assert read(sentences) == (expected, {reason: count}, f"{count} × {reason} (first at {place})")


def test_the_scheme_is_the_files_and_not_a_sentences() -> None:
    """`B-A` alone is an entity in IOB2 and unfinished in BIOES; `I-A` alone is one in IOB1 and a repair in IOB2."""
    assert read([["B-A"], ["B-A", "I-A"]])[1] == {}
    assert read([["B-A"], ["S-A"]])[1] == {BIOES: 1}
    assert read([["I-A"], ["I-A", "B-A"]])[1] == {}
    assert read([["I-A"], ["B-A"], ["B-A"]])[1] == {STRAY_I: 1}


ALPHABETS = {
    "IOB": "BI", "BIOES": "BIES", "BILOU": "BILU", "IOE": "IE", "all": "BIESLU",
}  # fmt: skip


@pytest.mark.parametrize("marks", ALPHABETS.values(), ids=ALPHABETS)
def test_entities_of_any_sequence_are_conllevals_chunks(marks: str) -> None:
    rng = random.Random(1)
    tags = ["O", "O", *(f"{mark}-{kind}" for mark in marks for kind in ("A", "B", "C-A"))]
    sentences = [[rng.choice(tags) for _ in range(rng.randint(1, 12))] for _ in range(2000)]
    found, _, _ = read(sentences)
    assert [spans(own) for own in found] == [conlleval_chunks(own) for own in sentences]
    if set(marks) <= set("BIES"):  # seqeval knows no L and U here
        assert [spans(own) for own in found] == [
            [(a, b, kind) for kind, a, b in get_entities(own)] for own in sentences
        ]


def test_repairs_are_none_exactly_where_sequences_are_valid() -> None:
    """Each scheme's valid files have no repair; a tag changed within them has one, or is another valid file."""
    rng = random.Random(2)
    for scheme in ("IOB2", "BIOES", "BILOU"):
        for _ in range(100):
            spans_drawn = random_spans(rng, 8)
            sentences = [written(scheme, *ALL_MARKS), written(scheme, 8, spans_drawn)]
            assert read(sentences)[1] == {}
            at = rng.randrange(8)
            sentences[1][at] = "I-OTHER"
            assert sum(read(sentences)[1].values()) >= 1


NO_TAG = {
    "O / O PER": "1.1: 'PER' is no tag; expected O, or one of B I E S L U, a dash and a type",
    "B-": "0.0: 'B-' is no tag; expected O, or one of B I E S L U, a dash and a type",
    "B": "0.0: 'B' is no tag; expected O, or one of B I E S L U, a dash and a type",
    "O O-A": "0.1: 'O-A' is no tag; expected O, or one of B I E S L U, a dash and a type",
    "M-A": "0.0: 'M-A' is no tag; expected O, or one of B I E S L U, a dash and a type",
}


@pytest.mark.parametrize(("tags", "message"), NO_TAG.items(), ids=NO_TAG)
def test_what_is_no_tag_is_named_with_its_own_place(tags: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read([sentence.split() for sentence in tags.split("/")])
    assert str(error.value) == message


def test_scores_of_iob1_with_stray_tags_equal_seqevals_to_the_last_digit() -> None:
    """A file in IOB1 with B- after O, and predictions with every fault that a model makes."""
    rng = random.Random(3)
    gold, said = [], []
    for _ in range(500):
        length = rng.randint(1, 15)
        tags = written("IOB1", length, random_spans(rng, length))
        gold.append([f"B{tag[1:]}" if tag[0] == "I" and rng.random() < 0.02 else tag for tag in tags])
        said.append([tag if rng.random() < 0.8 else rng.choice(["O", "B-PER", "I-PER", "I-ARGM-LOC"]) for tag in tags])
    (ours, counted, _), (predicted, _, _) = read(gold), read(said)
    assert counted[STRAY_B] > 20
    right = sum(len(set(spans(a)) & set(spans(b))) for a, b in zip(ours, predicted, strict=True))
    numbers = [sum(len(spans(own)) for own in part) for part in (predicted, ours)]
    precision, recall = right / numbers[0], right / numbers[1]
    assert (precision, recall) == (precision_score(gold, said), recall_score(gold, said))
    assert 2 * precision * recall / (precision + recall) == pytest.approx(f1_score(gold, said), abs=1e-15)
