"""The columns of a file are found by what is in them, or the line that does not fit is named."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from bench.data.examples import SplitExamples, read_examples
from bench.errors import UsageError
from bench.suites.ner import conll03
from bench.suites.srl import conll
from bench.task import Example, Source, Task, bio

WORDS = Task(
    name="words", kind="tagging", source=Source(local=("{split}.txt",)), rows=conll03,
    classes=bio("PER", "LOC"), metrics=("entity_f1",),
)  # fmt: skip
ROLES = WORDS.model_copy(update={"name": "roles", "rows": conll, "classes": bio("V", "A0", "A1")})


def read(folder: Path, content: str | bytes, task: Task = WORDS) -> SplitExamples:
    (folder / "train.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_examples(task, "train", folder)


def tagged(example: Example) -> str:
    return " ".join(f"{word}/{WORDS.classes[label]}" for word, label in zip(example.words, example.labels, strict=True))


COMMENT = "a line that begins with # and is no row of the columns, passed over as a comment"
NO_WORD = "a line of CoNLL-U whose number is none of a word (3-4, 5.1), passed over"
MARKS = "a file with byte order marks inside, removed"
TWO = ["Ann/B-PER left/O", "Ulm/B-LOC"]
CASES: dict[str, tuple[str, list[str], dict[str, int]]] = {
    "words first, tags last": ("Ann NNP B-PER\nleft VBD O\n\nUlm NNP B-LOC\n", TWO, {}),
    "an index": (
        "1 Ann _ B-PER\n2 left _ O\n\n1 Ulm _ B-LOC\n", TWO, {"a file in which the words are in column 2": 1},
    ),
    "an index from 0 and the tags before the lemmas": (
        "0\tAnn\tB-PER\tann\n1\tleft\tO\tleave\n\n0\tUlm\tB-LOC\tulm\n", TWO,
        {"a file in which the words are in column 2, the tags are in column 3 of 4": 1},
    ),
    "an index through the file": (
        "".join(f"{at} w{at} O\n" + "\n" * (at % 3 == 0) for at in range(1, 10)),
        [" ".join(f"w{at}/O" for at in range(first, first + 3)) for first in (1, 4, 7)],
        {"a file in which the words are in column 2": 1},
    ),
    "a document, a sentence and an index": (
        "".join(f"d s{own} {at} w{at} NN O\n" + "\n" * (at == 3) for own in range(3) for at in range(4)),
        ["w0/O w1/O w2/O w3/O"] * 3, {"a file in which the words are in column 4": 1},
    ),
    "words that are all the same": (
        "ha NN O\n" * 4 + "\n" + "ha NN O\n" * 6, [" ".join(["ha/O"] * count) for count in (4, 6)], {},
    ),
    "tags first": ("B-PER Ann\nO left\n\nB-LOC Ulm", TWO, {
        "a file in which the words are in column 2, the tags are in column 1 of 2": 1,
    }),
    "chunks of other types are no tags of the task": ("Ann B-NP B-PER\nleft B-VP O\n\nUlm B-NP B-LOC", TWO, {}),
    "chunks last": ("Ann B-PER B-NP\nleft O B-VP\n\nUlm B-LOC B-NP", TWO, {
        "a file in which the tags are in column 2 of 3": 1,
    }),
    "two columns of tags": ("Ann O B-PER\nleft O O\n\nUlm B-PER B-LOC", TWO, {
        "a file in which column 2 could be the tags too; 3 was taken": 1,
    }),
    "tabs, and words with blanks": (
        "New York\tB-LOC\n10 000\tO\n\nAnn\tB-PER", ["New York/B-LOC 10 000/O", "Ann/B-PER"], {},
    ),
    "tabs at the lines' ends": ("New York\tB-LOC\t\nis\tO\t\n", ["New York/B-LOC is/O"], {}),
    "tabs, and cells empty here and there": ("Ann\t\tB-PER\nleft\tx\tO\n\nUlm\t\tB-LOC", TWO, {}),
    "columns aligned by tabs": ("Ann\t\tB-PER\nleft\tO\n\nUlm\t\tB-LOC", TWO, {}),
    "a stray tab among blanks": ("Ann NNP\tB-PER\nleft VBD O\n\nUlm NNP B-LOC\n", TWO, {}),
    "comments": (
        "# newdoc\n# text = Ann left\n1\tAnn\tB-PER\n2\tleft\tO\n\n# text = Ulm\n1\tUlm\tB-LOC\n", TWO,
        {COMMENT: 3, "a file in which the words are in column 2": 1},
    ),
    "comments of the columns' width": ("# Ann\nAnn B-PER\nleft O\n\n# Ulm\n\nUlm B-LOC", TWO, {COMMENT: 2}),
    "number signs as words": ("# B-PER\n#ann O\n\n#1 B-LOC\nis O", ["#/B-PER #ann/O", "#1/B-LOC is/O"], {}),
    "several words as one": (
        "1-2\tdu\t_\n1\tde\tO\n2\tle\tO\n2.1\tx\t_\n3\tBo\tB-PER\n", ["de/O le/O Bo/B-PER"],
        {NO_WORD: 2, "a file in which the words are in column 2": 1},
    ),
    "byte order marks inside": ("\ufeffAnn B-PER\nleft O\n\n\ufeff-DOCSTART- -X-\n\n\ufeffUlm B-LOC", TWO, {MARKS: 1}),
    "a word that is a byte order mark": ("Ann\tB-PER\n\ufeff\tO\n", ["Ann/B-PER \ufeff/O"], {}),
    "carriage returns": ("Ann B-PER\rleft O\r\rUlm B-LOC\r", TWO, {"a file whose lines end in \\r alone": 1}),
    "other line ends in words": (
        "a\u2028b\x85c\x0bd\x0ce B-PER\nleft O\n", ["a\u2028b\x85c\x0bd\x0ce/B-PER left/O"], {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "expected", "repaired"), CASES.values(), ids=CASES)
def test_words_and_tags_are_found(tmp_path: Path, content: str, expected: list[str], repaired: dict[str, int]) -> None:
    reading = read(tmp_path, content)
    assert ([tagged(example) for example in reading.examples], reading.repaired) == (expected, repaired)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_wide_file_is_read(tmp_path: Path, encoding: str) -> None:
    reading = read(tmp_path, "Ann B-PER\nleft O\n\nUlm B-LOC\n".encode(encoding))
    assert [tagged(example) for example in reading.examples] == TWO
    assert reading.repaired == {"a file in UTF-16 or UTF-32": 1}


REFUSED = {
    "an index and no words": ("1 B-PER\n2 O\n", ":1: no column of words, only numbers and tags"),
    "tags alone": ("B-PER B-PER\nO O\n", ":1: no column of words, only tags"),
    "one column": ("Ann\nleft\n", ":1: expected columns of one length, a word and a tag at least, found 1 (task"),
    "a blank tag": ("Ann\tB-PER\nleft\t\nUlm\tB-LOC\n", ":2: the tag is blank; a word outside of"),
    "a blank word": ("New York\tB-LOC\n\tO\n", ":2: the word is blank; a word outside of"),
    "a column too few": ("Ann NNP B-PER\nleft B-LOC\n", ":2: 2 columns, but its sentence begins with 3"),
    "another number of columns": (
        "a NN O\nb NN O\n\nc O\n\nd NN B-LOC\n", ":4: 2 columns, but most lines of its file have 3",
    ),
    "no tab among tabs": ("New York\tB-LOC\nis\tO\nin O\n", ":3: no tab, but most lines of the file are"),
    "an unknown type": ("Ann B-PER\n\nleft O\nUlm B-GPE\n", ":4: unknown tag 'B-GPE' for task 'words'; known: O"),
    "no tag": ("Ann B-PER\n\nleft O\nUlm LOC\n", ":4: 'LOC' is no tag; expected O, or one of B I E S L U"),
    "a header": ("word tag\n\nAnn B-PER\n", ":1: 'tag' is no tag; expected O, or one of B I E S L U"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_named_with_its_own_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path}/train.txt{message}")


def test_a_nul_character_is_named_with_its_line(tmp_path: Path) -> None:
    for content, line in ((b"Ann O\nB\0 O\n", 2), ("Ann O\n".encode("utf-16-le"), 1)):
        with pytest.raises(UsageError, match=f"line {line} has a NUL character; give it as text in UTF-8"):
            read(tmp_path, content)


def test_tags_that_begin_an_entity_wrongly_are_read_and_counted_over_the_file(tmp_path: Path) -> None:
    """IOB1 with B- after O, as CoNLL-2003 is distributed; the first one's own line is told."""
    content = "-DOCSTART- -X- O O\n\nAnn NN I-NP I-PER\nUlm NN I-NP B-LOC\n\nThe NN I-NP I-LOC\nBo NN I-NP I-PER\n"
    (tmp_path / "train.txt").write_text(f"{content}Lee NN B-NP I-PER\n")
    with pytest.warns(UserWarning, match="repaired") as told:
        reading = read_examples(WORDS, "train", tmp_path)
    assert [tagged(each) for each in reading.examples] == ["Ann/B-PER Ulm/B-LOC", "The/B-LOC Bo/B-PER Lee/I-PER"]
    assert [example.group for example in reading.examples] == ["train.txt-1"] * 2
    assert [str(each.message) for each in told] == [
        "words train: repaired: 1 × a B- that begins an entity in IOB1, where I- would (read as conlleval reads it) "
        f"(first at {tmp_path}/train.txt:4)"
    ]


def test_a_scheme_is_that_of_its_file(tmp_path: Path) -> None:
    """Each of two files of a split has its own, and neither is a repair."""
    task = WORDS.model_copy(update={"source": Source(local=("{split}*.txt",))})
    (tmp_path / "train1.txt").write_text("Ann S-PER\nBo B-PER\nLee E-PER\n")
    reading = read(tmp_path, "Ann I-PER\nBo B-PER\n", task)
    assert [tagged(each) for each in reading.examples] == ["Ann/B-PER Bo/B-PER", "Ann/B-PER Bo/B-PER Lee/I-PER"]
    assert reading.repaired == {}


def test_a_spoiled_proposition_is_named_with_its_words_line(tmp_path: Path) -> None:
    fixed = "Yes UH * * - -\n\nAnn NNP * * - - (A0*)\nleft VBD * * 01 leave {}\n"
    assert len(read(tmp_path, fixed.format("(V*)"), ROLES).examples) == 1
    for cell, message in (("*", ":4: column 1 of the arguments has no predicate"), ("(V*", ":4: the bracket of 'V'")):
        with pytest.raises(UsageError) as error:
            read(tmp_path, fixed.format(cell), ROLES)
        assert str(error.value).startswith(f"{tmp_path}/train.txt{message}")


def test_a_column_of_o_alone_asks_nothing_of_the_number_of_columns(tmp_path: Path) -> None:
    """CoNLL-2004's roles have entities in a column, and as many columns in a sentence as it has predicates."""
    content = "Ann NNP O - (A0*)\nleft VBD O leave (V*)\n\nYes UH O -\n"
    assert len(read(tmp_path, content, ROLES).examples) == 1


def test_sentences_without_a_predicate_are_counted_in_every_split(tmp_path: Path) -> None:
    reading = read(tmp_path, "Yes UH * * - -\n\nGo VB * * 01 go (V*)\n\nNo UH * * - -\n", ROLES)
    assert (len(reading.examples), reading.no_example) == (1, {"a sentence without a predicate": 2})
