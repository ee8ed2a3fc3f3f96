"""From a file in a task's layout, or a row of the hub, to Examples; a spoiled row is named with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bench.data.examples import read_examples
from bench.data.typed import passage_id
from bench.errors import UsageError
from bench.registry import find_suite
from bench.task import Answer, Example, Source, Split

Row = dict[str, Any]
TASKS = {task.name: task for task in find_suite("universal").tasks}


def from_rows(name: str, *rows: Row) -> list[Example]:
    """Examples of rows as the hub gives them, class numbers made names."""
    return read_examples(
        TASKS[name].model_copy(update={"source": Source(generate=lambda _: list(rows))}), "dev", None
    ).examples


def from_file(folder: Path, name: str, place: str, content: str, split: Split = "dev") -> list[Example]:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return read_examples(TASKS[name], split, folder).examples


def labels(name: str, example: Example) -> str:
    return " ".join(TASKS[name].classes[label] for label in example.labels)


def test_a_passage_s_name_is_of_its_text_alone() -> None:
    assert passage_id("abc") == "ba7816bf8f01cfea"  # SHA-256's published example


# --- texts and choices: (task, official file, its content, the same on the hub, what comes of it)

COPA = {"premise": "A fell.", "choice1": "B.", "choice2": "C.", "question": "cause", "idx": 4}
WIC = {
    "word": "b", "sentence1": "a b.", "sentence2": "b c", "start1": 2, "end1": 3, "start2": 0, "end2": 1, "idx": 4,
}  # fmt: skip
WSC = {"span1_text": "Ann", "span1_index": 0, "span2_text": "she", "span2_index": 2}
PASSAGE = "Ann met Bo."
RECORD_LOCAL = {
    "idx": 5,
    "passage": {"text": PASSAGE, "entities": [{"start": 8, "end": 9}, {"start": 0, "end": 2}]},
    "qas": [{"query": "Then @placeholder left.", "idx": 6, "answers": [{"start": 8, "end": 9, "text": "Bo"}]}],
}
RECORD_HUB = {
    "passage": PASSAGE, "query": "Then @placeholder left.", "entities": ["Bo", "Ann"], "answers": ["Bo"],
    "entity_spans": {"text": ["Ann", "Bo"], "start": [0, 8], "end": [3, 10]}, "idx": {"passage": 5, "query": 6},
}  # fmt: skip
QUESTION = {"question": "Who?", "answers": [{"text": "Ann", "idx": 2, "label": 1}], "idx": 1}
MULTIRC_HUB = {
    "paragraph": PASSAGE, "question": "Who?", "answer": "Ann", "label": "True",
    "idx": {"paragraph": 0, "question": 1, "answer": 2},
}  # fmt: skip
SQUAD = {"question": "Who met Bo?", "id": "q1"}
ARTICLE = {
    "title": "t",
    "paragraphs": [{"context": PASSAGE, "qas": [{**SQUAD, "answers": [{"text": "Ann", "answer_start": 0}]}]}],
}

BOTH = [
    (
        "boolq", "BoolQ/val.jsonl", {"passage": "p", "question": "q", "idx": 4, "label": True},
        {"passage": "p", "question": "q", "idx": 4, "label": "True"},
        Example(id="4", texts={"passage": "p", "question": "q"}, labels=(1,), group=passage_id("p")),
    ),
    (
        "copa", "superglue/COPA/val.jsonl", {**COPA, "label": 1}, {**COPA, "label": "choice2"},
        Example(
            id="4", texts={"premise": "A fell", "connective": "because", "choice1": "B", "choice2": "C"},
            choices=({"choice": "B."}, {"choice": "C."}), labels=(1,),
        ),
    ),
    (
        "multirc", "MultiRC/val.jsonl", {"idx": 0, "passage": {"text": PASSAGE, "questions": [QUESTION]}}, MULTIRC_HUB,
        Example(
            id="0-1-2", texts={"passage": PASSAGE, "question": "Who?", "answer": "Ann"}, labels=(1,),
            group=passage_id(PASSAGE), query=f"{passage_id(PASSAGE)}-1",
        ),
    ),
    (
        "record", "ReCoRD/val.jsonl", RECORD_LOCAL, RECORD_HUB,
        Example(
            id="5-6", texts={"passage": PASSAGE, "before": "Then", "glued": "", "after": "left."},
            choices=(
                {"choice": "Ann", "statement": "Then Ann left."}, {"choice": "Bo", "statement": "Then Bo left."}
            ),
            labels=(1,), answers=(Answer(text="Bo", start=-1),), group=passage_id(PASSAGE),
        ),
    ),
    (
        "wic", "WiC/val.jsonl", {**WIC, "label": False}, {**WIC, "label": "False"},
        Example(id="4", texts={"sentence1": "a * b *.", "sentence2": "* b * c", "word": "b"}, labels=(0,), group="b"),
    ),
    (
        "wsc", "WSC/val.jsonl", {"text": "Ann says she", "target": WSC, "idx": 4, "label": True},
        {"text": "Ann says she", **WSC, "idx": 4, "label": "True"},
        Example(
            id="4", texts={"text": "* Ann * says # she #", "noun": "Ann", "pronoun": "she"}, labels=(1,),
            group=passage_id("Ann says she"),
        ),
    ),
    (
        "squad2", "squad/dev-v2.0.json", {"version": "v2.0", "data": [ARTICLE]},
        {**SQUAD, "title": "t", "context": PASSAGE, "answers": {"text": ["Ann"], "answer_start": [0]}},
        Example(
            id="q1", texts={"question": "Who met Bo?", "context": PASSAGE}, labels=(1,),
            answers=(Answer(text="Ann", start=0),), group="t", part=passage_id(PASSAGE),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "place", "local", "hub", "expected"), BOTH, ids=[case[0] for case in BOTH])
def test_files_and_the_hub_give_the_same_example(
    name: str, place: str, local: Row, hub: Row, expected: Example, tmp_path: Path
) -> None:
    assert from_file(tmp_path, name, place, json.dumps(local)) == [expected]
    assert from_rows(name, hub) == [expected]


@pytest.mark.parametrize("name", ["conll03", "ontonotes"])
@pytest.mark.parametrize(("words", "tags"), [("tokens", "ner_tags"), ("words", "tags")])
def test_sentences_in_a_table_are_those_in_columns(name: str, words: str, tags: str, tmp_path: Path) -> None:
    kind = {"conll03": "PER", "ontonotes": "PERSON"}[name]
    (example,) = from_file(tmp_path, name, f"{name}/valid.txt", f"Ann B-{kind}\nleft O\n")
    row = {words: ["Ann", "left"], tags: [f"B-{kind}", "O"]}
    assert from_file(tmp_path / "json", name, f"{name}/dev.jsonl", json.dumps(row)) == [example]
    cells = f'"{words}","{tags}"\n"[""Ann"", ""left""]","[""B-{kind}"", ""O""]"\n'
    assert from_file(tmp_path / "csv", name, f"{name}/dev.csv", cells) == [example]


def test_a_tag_too_few_in_a_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"dev\.jsonl:1: 2 words but 1 tags \(task 'conll03'\)"):
        from_file(tmp_path, "conll03", "conll03/dev.jsonl", '{"tokens": ["Ann", "left"], "ner_tags": ["O"]}')


def test_sst2_is_a_table_or_a_row_of_the_hub(tmp_path: Path) -> None:
    expected = [Example(id="0", texts={"sentence": "a film "}, labels=(1,))]
    assert from_file(tmp_path, "sst2", "sst2/dev.tsv", "sentence\tlabel\na film \t1\n") == expected
    assert from_rows("sst2", {"sentence": "a film ", "label": "positive", "idx": 0}) == expected


# --- words


@pytest.mark.parametrize("place", ["conll03/eng.testa", "conll03/valid.txt", "conll2003/dev.txt"])
def test_conll03_goes_by_several_names(place: str, tmp_path: Path) -> None:
    (found,) = from_file(tmp_path, "conll03", place, "-DOCSTART- -X- O O\n\nAnn NNP I-NP I-PER\nleft VBD I-VP O")
    assert (found.words, labels("conll03", found)) == (("Ann", "left"), "B-PER O")


def test_conll04_is_json_or_a_row_of_the_hub(tmp_path: Path) -> None:
    row = {"tokens": ["Mr", "Bo", "left"], "tags": ["B-Peop", "L-Peop", "O"]}
    (found,) = from_file(tmp_path, "conll04", "conll04/conll04_dev.json", json.dumps([row]))
    assert (found.words, labels("conll04", found)) == (("Mr", "Bo", "left"), "B-Peop I-Peop O")
    assert [found] == from_rows("conll04", {**row, "tags": ["B-Peop", "I-Peop", "O"]})
    hub = {"tokens": row["tokens"], "entities": [{"start": 0, "end": 2, "type": "Peop"}], "relations": [], "orig_id": 9}
    assert [found] == from_rows("conll04", hub)


LINE = "1 Ann saw Bo ||| B-A0 B-V B-A1\n"
PROPS = "Ann NNP (S* * - - (A0*)\nsaw VBD * * 01 see (V*)\nBo NNP *) * - - (A1*)\n"


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("conll05/test.wsj.gz", PROPS),
        ("conll05st-release/test.wsj.gz", PROPS),
        ("conll05/conll05.test.wsj.txt", LINE),
    ],
)
def test_conll05_marks_the_predicate_in_columns_and_in_lines(place: str, content: str, tmp_path: Path) -> None:
    (found,) = from_file(tmp_path, "conll05_wsj", place, content, "test")
    assert (found.words, found.marks, labels("conll05_wsj", found)) == (("Ann", "saw", "Bo"), (1,), "B-A0 B-V B-A1")
    assert found.group == passage_id("Ann saw Bo")


def test_ewt_s_predicates_of_a_sentence_have_ids_of_their_own_and_one_group(tmp_path: Path) -> None:
    frames = [
        {"predicate": 1, "lemma": "see", "sense": "see.01", "tags": ["B-ARG0", "B-V", "B-ARG1"]},
        {"predicate": 2, "lemma": "go", "sense": "go.01", "tags": ["O", "O", "B-V"]},
    ]
    row = {"doc": "d", "sent": 3, "tokens": ["Ann", "saw", "go"], "frames": frames}
    first, second = from_file(tmp_path, "srl_ewt", "srl_ewt/dev.jsonl", json.dumps(row))
    assert (first.id, first.marks, second.id, second.marks) == ("d-3-1", (1,), "d-3-2", (2,))
    assert labels("srl_ewt", second) == "O O B-V"
    assert first.group == second.group


# --- spoiled files

SPOILED = [
    ("boolq", "BoolQ/val.jsonl", '{"passage": "p", "question": "q", "label": 2}', ":1: unknown label '2'"),
    ("copa", "COPA/val.jsonl", json.dumps({**COPA, "label": 2}), ":1: unknown label '2' for task 'copa'"),
    ("copa", "COPA/val.jsonl", json.dumps(COPA), ":1: field 'label' is missing (task 'copa')"),
    ("multirc", "MultiRC/val.jsonl", '{"idx": 0, "passage": "p"}', ":1: field 'passage' must be an object, found str"),
    ("record", "ReCoRD/val.jsonl", json.dumps({**RECORD_LOCAL, "qas": [{}]}), ":1: field 'answers' is missing"),
    ("wic", "WiC/val.jsonl", json.dumps({**WIC, "end2": 9}), ":1: characters 0 to 9 lie outside a text"),
    ("wsc", "WSC/val.jsonl", json.dumps({"text": 3, "target": WSC}), ":1: field 'text' must be text, found int"),
    ("sst2", "SST-2/dev.tsv", "sentence\tlabel\nfine\t3", ":2: unknown label '3' for task 'sst2'"),
    ("conll03", "conll03/eng.testa", "\nAnn", ":2: expected columns of one length, a word and a tag at least, found 1"),
    ("conll03", "conll03/eng.testa", "Ann I-GPE", ":1: unknown tag 'B-GPE' for task 'conll03'"),
    ("squad1", "squad/dev-v1.1.json", '{"data": [{"paragraphs": [{"qas": []}]}]}', "[0]: field 'context' is missing"),
    ("conll05_wsj", "conll05/dev-set.gz", "a (A0*\nb (V*)", ":2: the brackets of"),
    ("srl_ewt", "srl_ewt/dev.jsonl", '{"tokens": ["a"], "frames": 1}', ":1: field 'frames' must be a list of objects"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "place", "content", "message"), SPOILED)
def test_a_spoiled_row_is_named_with_its_file_and_line(
    name: str, place: str, content: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as error:
        from_file(tmp_path, name, place, content)
    assert str(error.value).startswith(f"{tmp_path / place}{message}")
