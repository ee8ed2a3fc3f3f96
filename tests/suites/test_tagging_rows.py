"""Column files, brackets and JSON of the tagging tasks become words, tags and marks."""

from __future__ import annotations

from typing import Any

import pytest

from bench.data.typed import passage_id
from bench.errors import WordError
from bench.registry import find_suite
from bench.suites.ner import conll03, conll04, ontonotes
from bench.suites.rows.columns import bio_tags
from bench.suites.srl import conll, ewt, roles

Row = dict[str, Any]


def by_word(*lines: str) -> Row:
    """A sentence as the reader gives a column file's: its columns."""
    return {"columns": [list(column) for column in zip(*(line.split() for line in lines), strict=True)]}


# --- brackets


@pytest.mark.parametrize(
    ("cells", "tags"),
    [
        ("* (GPE) * (PERSON* * *) *", "O B-GPE O B-PERSON I-PERSON I-PERSON O"),
        ("(A0*) (V*) (A1* *)", "B-A0 B-V B-A1 I-A1"),
        ("(A1* *) (A1*) (C-A1* *)", "B-A1 I-A1 B-A1 B-C-A1 I-C-A1"),
    ],
)
def test_brackets_become_bio_tags(cells: str, tags: str) -> None:
    assert bio_tags(cells.split()) == tags.split()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("(A0* *", "the bracket of 'A0' is not closed"),
        ("* *)", r"do not fit at '\*\)'"),
        ("(A0* (V*) *)", r"do not fit at '\(V\*\)'"),
        ("(A0(V*))", "do not fit"),
    ],
)
def test_brackets_that_do_not_fit_are_named(cells: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bio_tags(cells.split())


# --- entities


def test_conll03_takes_the_first_and_the_last_column() -> None:
    row = by_word("Ann NNP I-NP I-PER", "left VBD I-VP O")
    assert list(conll03(row)) == [{"words": ["Ann", "left"], "tags": ["I-PER", "O"]}]


def test_conll03_s_document_lines_are_no_sentences() -> None:
    assert list(conll03(by_word("-DOCSTART- -X- -X- O"))) == []
    assert list(conll03(by_word("-DOCSTART- -X- O O", "Ann NNP I-NP I-PER"))) == [{"words": ["Ann"], "tags": ["I-PER"]}]


@pytest.mark.parametrize("columns", [[["Ann"]], [["Ann", "left"], ["O"]], []])
def test_columns_that_do_not_fit_are_named(columns: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="expected columns of one length, a word and a tag at least"):
        list(conll03({"columns": columns}))


def test_conll04_has_tags_or_entities() -> None:
    words = ["Mr", "Bo", "left", "Ulm"]
    assert list(conll04({"tokens": words, "tags": ["B-Peop", "L-Peop", "O", "U-Loc"], "orig_id": 1})) == [
        {"words": words, "tags": ["B-Peop", "L-Peop", "O", "U-Loc"]}
    ]
    entities = [{"start": 0, "end": 2, "type": "Peop"}, {"start": 3, "end": 4, "type": "Loc"}]
    assert list(conll04({"tokens": words, "entities": entities})) == [
        {"words": words, "tags": ["B-Peop", "I-Peop", "O", "B-Loc"]}
    ]


def test_a_conll04_entity_beyond_its_sentence_is_named() -> None:
    with pytest.raises(ValueError, match="the entity of words 1 to 3 is not in a sentence of 2 words"):
        list(conll04({"tokens": ["a", "b"], "entities": [{"start": 1, "end": 3, "type": "Loc"}]}))


def gold(document: str = "nw/made/00/made_0001", words: str = "Ann saw Bo run") -> Row:
    """Two predicates, two persons, coreference in the last column."""
    names, places = ("(PERSON)", "*", "(PERSON)", "*"), ("(0)", "-", "(1)", "-")
    first, second = ("(ARG0*)", "(V*)", "(ARG1*", "*)"), ("*", "*", "(ARG0*)", "(V*)")
    frames = ("- -", "see 01", "- -", "run 02")
    return by_word(
        *(
            f"{document} 0 {at} {word} NN * {frames[at]} - - {names[at]} {first[at]} {second[at]} {places[at]}"
            for at, word in enumerate(words.split())
        )
    )


def test_ontonotes_reads_the_gold_tree_and_plain_columns() -> None:
    expected = {"words": ["Ann", "saw", "Bo", "run"], "tags": ["B-PERSON", "O", "B-PERSON", "O"]}
    own = {"group": "nw/made/00/made_0001", "part": passage_id("Ann saw Bo run")}
    assert list(ontonotes(gold())) == [{**expected, **own}]
    assert list(ontonotes(by_word("Ann B-PERSON", "saw O", "Bo B-PERSON", "run O"))) == [expected]


def test_the_pivot_text_has_no_entities_but_has_arguments() -> None:
    row = gold("pt/nt/40/nt_4001")
    assert list(ontonotes(row)) == [{"no_example": "a sentence of the pivot text, which has no entities marked"}]
    assert len(list(conll(row))) == 2


@pytest.mark.parametrize("read", [ontonotes, conll])
def test_files_without_their_words_say_what_to_do(read: Any) -> None:
    with pytest.raises(ValueError, match="the words are left out; run the shared task's skeleton2conll"):
        list(read(gold(words="[WORD] [WORD] [WORD] [WORD]")))


# --- roles

WORDS = ["Ann", "saw", "Bo", "run"]
FIRST = ["B-ARG0", "B-V", "B-ARG1", "I-ARG1"]


def without_group(rows: Any) -> list[Row]:
    found = list(rows)
    assert len({(row.pop("group"), row.pop("part")) for row in found}) <= 1  # predicates of one sentence stay together
    return found


def test_conll12_gives_a_row_per_predicate() -> None:
    assert without_group(conll(gold())) == [
        {"words": WORDS, "tags": FIRST, "marks": [1]},
        {"words": WORDS, "tags": ["O", "O", "B-ARG0", "B-V"], "marks": [3]},
    ]


def test_a_line_per_predicate_is_the_same_sentence() -> None:
    (line,) = conll({"predicate": 1, "words": WORDS, "tags": FIRST})
    assert {**line, "group": "nw/made/00/made_0001"} == next(iter(conll(gold())))
    assert line["group"] == line["part"] == passage_id("Ann saw Bo run")  # it does not say of which document it is


def test_srl_s_documents_are_groups_where_the_columns_name_them() -> None:
    assert {row["group"] for row in conll(gold("nw/made/00/made_0007"))} == {"nw/made/00/made_0007"}
    (row,) = conll(by_word("Ann (A0*)", "left (V*)"))
    assert row["group"] == row["part"] == passage_id("Ann left")


def test_conll05_s_arguments_are_the_last_columns() -> None:
    row = by_word(
        "Ann NNP (S1(S(NP*) (PER*) - - (A0*) *",
        "saw VBD (VP* * 01 see (V*) *",
        "Bo NNP (NP*) (PER*) - - (A1* (A0*)",
        "run VB (VP*))) * 01 run *) (V*)",
    )
    assert without_group(conll(row)) == [
        {"words": WORDS, "tags": ["B-A0", "B-V", "B-A1", "I-A1"], "marks": [1]},
        {"words": WORDS, "tags": ["O", "O", "B-A0", "B-V"], "marks": [3]},
    ]


def test_a_sentence_without_a_predicate_is_counted_and_gives_no_row() -> None:
    none = [{"no_example": "a sentence without a predicate"}]
    assert list(conll(by_word("Yes UH (S1(INTJ* * - -", ". . *)) * - -"))) == none
    assert list(ewt({"doc": "d", "sent": 0, "tokens": ["Yes"], "frames": []})) == none


FIXED = ("Ann NNP (S* (PER*) - -", "saw VBD * * 01 see", "Bo NNP * (PER*) - -", "run VB *) * 01 run")
MARKED = "2 predicates are marked, but there are"
PROPOSITIONS = {  # the arguments' columns, the word that is named, and how
    "no predicate in its column": (
        ["(A0*) *", "(V*) *", "(A1* (A0*)", "*) *"], 3, "column 2 of the arguments has no predicate, (V*…",
    ),
    "no predicate in the first": (
        ["(A0*) *", "* *", "(A1* (A0*)", "*) (V*)"], 1, "column 1 of the arguments has no predicate, (V*…",
    ),
    "a bracket left open": (
        ["(A0*) *", "(V*) *", "(A1* (A0*)", "* (V*)"], 2, "bracket of 'A1' is not closed in '(A0*) (V*) (A1* *'",
    ),
    "a bracket not opened": (
        ["*) *", "(V*) *", "(A1* (A0*)", "*) (V*)"], 0, "brackets of '*) (V*) (A1* *)' do not fit at '*)'",
    ),
    "a cell that is no bracket": (
        ["(A0*) *", "(V*) *", "(A1* -", "*) (V*)"], 2, "brackets of '* * - (V*)' do not fit at '-'",
    ),
    "a column too few": (["(A0*)", "(V*)", "(A1*", "*)"], 3, f"{MARKED} 1 columns of arguments"),
    "a column too many": (["* * *", "(V*) * (V*)", "* * *", "* (V*) *"], 3, f"{MARKED} 3 columns of arguments"),
    "no brackets": (["-", "-", "-", "-"], 1, "neither the predicates' nor one of arguments: it has - alone"),
    "no column": (["", "", "", ""], 1, f"{MARKED} 0 columns of arguments"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "word", "message"), PROPOSITIONS.values(), ids=PROPOSITIONS)
def test_a_spoiled_proposition_of_conll05_names_its_word(arguments: list[str], word: int, message: str) -> None:
    lines = [f"{fixed} {cells}" for fixed, cells in zip(FIXED, arguments, strict=True)]
    with pytest.raises(WordError) as error:
        list(conll(by_word(*lines)))
    assert (error.value.word, str(error.value)[-len(message) :]) == (word, message)


def test_a_spoiled_proposition_of_conll12_names_its_word() -> None:
    row = gold()
    lost = {"columns": [*row["columns"][:12], *row["columns"][13:]]}  # the second column of arguments
    with pytest.raises(WordError, match="2 predicates are marked, but there are 1 columns of arguments") as error:
        list(conll(lost))
    assert error.value.word == 3
    row["columns"][12] = ["*", "*", "(ARG0*)", "*"]
    with pytest.raises(WordError, match="column 2 of the arguments has no predicate") as error:
        list(conll(row))
    assert error.value.word == 3


def test_words_of_conll12_that_are_numbered_otherwise_are_named() -> None:
    row = gold()
    row["columns"][2][2] = "3"
    for read in (ontonotes, conll):
        with pytest.raises(WordError, match="word 2 of its sentence, counted from 0, has the number 3") as error:
            list(read(row))
        assert error.value.word == 2


def test_many_columns_of_another_kind_are_no_conll12() -> None:
    row = by_word("1 Ann 0 _ _ _ _ _ _ _ _ _ B-PERSON", "2 left 4 _ _ _ _ _ _ _ _ _ O")
    assert list(ontonotes({**row, "word_column": 1})) == [{"words": ["Ann", "left"], "tags": ["B-PERSON", "O"]}]


def test_lemmas_beside_words_that_are_no_predicates_mark_none() -> None:
    row = gold()
    row["columns"][6][0] = "ann"
    assert len(list(conll(row))) == 2


def test_conll05_without_the_other_columns_and_with_one_word_is_read() -> None:
    assert without_group(conll(by_word("Go go (V*)"))) == [{"words": ["Go"], "tags": ["B-V"], "marks": [0]}]
    (row,) = without_group(conll(by_word("Ann - (A0*)", "left leave (V*)")))
    assert row == {"words": ["Ann", "left"], "tags": ["B-A0", "B-V"], "marks": [1]}
    (row,) = without_group(conll(by_word("Ann (A0*)", "left (V*)")))
    assert row == {"words": ["Ann", "left"], "tags": ["B-A0", "B-V"], "marks": [1]}


def test_conll05_takes_its_words_from_the_column_that_holds_them() -> None:
    row = {**by_word("1 Ann - (A0*)", "2 left leave (V*)"), "word_column": 1}
    assert without_group(conll(row)) == [{"words": ["Ann", "left"], "tags": ["B-A0", "B-V"], "marks": [1]}]


def test_the_documents_of_a_file_are_groups() -> None:
    row = {**by_word("Ann O"), "document": "train-3"}
    assert list(conll03(row)) == [{"words": ["Ann"], "tags": ["O"], "group": "train-3", "part": passage_id("Ann")}]


@pytest.mark.parametrize(("name", "cells"), [("word", [["Ann", ""], ["O", "O"]]), ("tag", [["Ann", "Bo"], ["O", ""]])])
def test_a_blank_word_or_tag_is_named_with_its_word(name: str, cells: list[list[str]]) -> None:
    with pytest.raises(WordError, match=f"the {name} is blank; a word outside of any entity has the tag O") as error:
        list(conll03({"columns": cells}))
    assert error.value.word == 1


def test_ewt_gives_a_row_per_frame() -> None:
    frames = [{"predicate": 1, "lemma": "see", "sense": "see.01", "tags": FIRST}]
    assert without_group(ewt({"doc": "d", "sent": 4, "tokens": WORDS, "frames": frames})) == [
        {"idx": "d-4-1", "words": WORDS, "tags": FIRST, "marks": [1]}
    ]


@pytest.mark.parametrize("predicate", [-1, 4])
def test_a_predicate_outside_of_its_sentence_is_named(predicate: int) -> None:
    with pytest.raises(ValueError, match=f"the predicate is word {predicate} of a sentence of 4 words, counted from 0"):
        list(conll({"predicate": predicate, "words": WORDS, "tags": FIRST}))


def test_roles_are_also_continued_and_referred_to() -> None:
    assert roles(("A0",), "TMP", "AM") == (
        "O", "B-A0", "I-A0", "B-AM-TMP", "I-AM-TMP", "B-C-A0", "I-C-A0", "B-C-AM-TMP", "I-C-AM-TMP",
        "B-R-A0", "I-R-A0", "B-R-AM-TMP", "I-R-AM-TMP", "B-V", "I-V", "B-C-V", "I-C-V",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("conll05_wsj", "A0 A5 AA AM AM-TM AM-REC C-AM-NEG R-AM-EXT R-AA C-A5 V C-V"),
        ("conll12", "ARG0 ARG5 ARGA ARGM-LVB ARGM-PRX C-ARGM-DSP R-ARGM-PRD R-ARG5 V"),
        ("srl_ewt", "ARG1-DSP C-ARG1-DSP ARGM-CXN C-ARGM-CXN ARGM-PRR C-ARGM-PRR R-ARGM-ADJ V C-V"),
    ],
)
def test_roles_that_the_published_data_have_are_classes(task: str, labels: str) -> None:
    classes = find_suite("srl").task(task).classes
    assert {f"{part}-{label}" for label in labels.split() for part in "BI"} <= set(classes)
    assert len(set(classes)) == len(classes)
