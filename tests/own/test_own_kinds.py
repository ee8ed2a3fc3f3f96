"""A user's file in every form is a task: kind, fields, classes and metrics follow from what stands in it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from bench.data.examples import read_examples
from bench.task import Task
from tests.own.mails import TEAMS, Rows, mails, own, words, write


def the_task(data: Path, **asked: Any) -> Task:
    (task,) = own(data, **asked).suite.tasks
    return task


@pytest.mark.parametrize(
    "name", ["m.csv", "m.tsv", "m.json", "m.jsonl", "m.ndjson", "m.parquet", "m.csv.gz", "m.jsonl.gz"]
)
def test_a_table_in_any_form_is_the_same_task(tmp_path: Path, name: str) -> None:
    found = own(write(tmp_path / name, mails()))
    (task,) = found.suite.tasks
    assert (task.kind, task.name, task.plain, task.classes) == ("classification", "m", "{body}", TEAMS)
    assert task.fields == {"body": "body", "label": "team"}
    assert task.metrics == ("accuracy", "macro_f1")
    assert found.lines == (
        "m: classification of 'body': the class in 'team'; press 16, sales 16, support 16 in train",
        f"  train 48, scored on dev 12: 20 % of {name}, by label, equal texts together, seed 0",
    )


def test_a_saved_data_set_and_one_of_splits_are_read(tmp_path: Path) -> None:
    import datasets

    table = datasets.Dataset.from_list(mails())
    table.save_to_disk(tmp_path / "alone")
    datasets.DatasetDict({"train": table, "test": table.select(range(6))}).save_to_disk(tmp_path / "both")
    assert own(tmp_path / "alone").lines[1].startswith("  train 48, scored on dev 12: 20 % of alone")
    assert own(tmp_path / "both").lines[1] == "  train 60, scored on test 6: its splits train, test"


def test_texts_may_be_several_and_their_columns_have_any_name(tmp_path: Path) -> None:
    rows = [{"Sub ject": row["body"], "label": row["body"][::-1], "x": row["team"]} for row in mails()]
    task = the_task(write(tmp_path / "m.csv", rows), text="Sub ject,label", label="x")
    assert (task.plain, task.fields) == (
        "{text1}[SEP]{text2}",
        {"text1": "Sub ject", "text2": "label", "label": "x"},
    )


def test_a_pair_that_the_field_knows_is_found(tmp_path: Path) -> None:
    rows = [{"hypothesis": "a b", "premise": row["body"], "label": row["team"]} for row in mails()]
    assert the_task(write(tmp_path / "p.csv", rows)).plain == "{premise}[SEP]{hypothesis}"


@pytest.mark.parametrize(
    ("values", "kind", "classes"),
    [
        ([1, 2, 10], "classification", ("1", "2", "10")),
        ([True, False], "classification", ("false", "true")),
        ([0.0, 1.0], "classification", ("0", "1")),
        ([0.5, 1.5], "regression", ()),
        (list(range(21)), "regression", ()),
    ],
)
def test_few_whole_numbers_are_classes_and_others_are_numbers(
    tmp_path: Path, values: list[Any], kind: str, classes: tuple[str, ...]
) -> None:
    rng = random.Random(0)
    rows = [{"text": words(rng), "label": values[at % len(values)]} for at in range(84)]
    task = the_task(write(tmp_path / "n.jsonl", rows))
    assert (task.kind, task.classes) == (kind, classes)


def test_few_whole_numbers_are_numbers_where_that_is_asked_for(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [{"text": words(rng), "stars": at % 5 + 1} for at in range(40)]
    assert the_task(write(tmp_path / "n.csv", rows), kind="regression").metrics == ("pearson", "spearman")


def test_large_numbers_are_trained_on_as_0_to_5_and_are_themselves_in_examples(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [{"text": words(rng), "price": 1000 + 10 * at} for at in range(60)]
    found = own(write(tmp_path / "n.csv", rows))
    (task,) = found.suite.tasks
    train = [example.value for example in read_examples(task, "train", found.folder).examples]
    assert (task.origin, task.unit) == (min(train), (max(train) - min(train)) / 5)
    assert max(train) > 1000


def conll(path: Path, sentences: int = 20, documents: bool = False) -> Path:
    lines = []
    for number in range(sentences):
        if documents and number % 4 == 0:
            lines.append("-DOCSTART- -X- O O\n")
        lines += [f"word{number} NN X B-PER", "and CC X O", f"rome{number} NN X S-LOC", ""]
    path.write_text("\n".join(lines))
    return path


def test_a_column_file_brings_its_own_types_in_any_scheme(tmp_path: Path) -> None:
    found = own(conll(tmp_path / "ner.conll", documents=True))
    (task,) = found.suite.tasks
    assert task.classes == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert (task.kind, task.fields, task.clusters) == ("tagging", {"words": "1", "tags": "4"}, "document")
    assert found.lines == (
        "ner: tagging of column 1: entities of 2 types (LOC, PER)",
        "  train 16, scored on dev 4: 20 % of ner.conll, rows of one document and equal texts together, seed 0",
    )
    (first, *_) = read_examples(task, "train", found.folder).examples
    assert [task.classes[label] for label in first.labels] == ["B-PER", "O", "B-LOC"]


def test_lists_of_words_and_tags_are_sentences(tmp_path: Path) -> None:
    rows: Rows = [{"tokens": [f"w{at}", "x"], "ner_tags": ["B-A", "O"]} for at in range(20)]
    assert the_task(write(tmp_path / "t.jsonl", rows)).fields == {"words": "tokens", "tags": "ner_tags"}


def squad(path: Path) -> Path:
    articles = []
    for number in range(10):
        context = f"the {number} cats of town {number} sleep"
        questions = [
            {
                "id": f"{number}-{at}",
                "question": f"who {at} {number}?",
                "answers": [{"text": "cats", "answer_start": 6}],
            }
            for at in range(2)
        ]
        articles.append({"title": f"T{number}", "paragraphs": [{"context": context, "qas": questions}]})
    path.write_text(json.dumps({"version": "1", "data": articles}))
    return path


def test_articles_of_squad_are_questions_whose_articles_stay_together(tmp_path: Path) -> None:
    found = own(squad(tmp_path / "faq.json"))
    (task,) = found.suite.tasks
    assert (task.kind, task.answerless, task.clusters, task.metrics) == ("span", False, "article", ("f1", "em"))
    split = {name: read_examples(task, name, found.folder).examples for name in ("train", "dev")}
    assert (len(split["train"]), len(split["dev"])) == (16, 4)
    assert {row.group for row in split["train"]} & {row.group for row in split["dev"]} == set()


def test_a_question_a_row_may_have_its_answer_as_a_text_or_none(tmp_path: Path) -> None:
    rows = [
        {"question": f"who {at}?", "context": f"the cats {at} sleep", "answer": "" if at % 4 == 0 else "sleep"}
        for at in range(20)
    ]
    found = own(write(tmp_path / "q.csv", rows))
    (task,) = found.suite.tasks
    assert (task.kind, task.answerless) == ("span", True)
    answered = [row for row in read_examples(task, "train", found.folder).examples if row.answers]
    assert {row.texts["context"][row.answers[0].start :] for row in answered} == {"sleep"}


def test_a_table_of_questions_may_have_a_column_of_paragraphs_too(tmp_path: Path) -> None:
    rows = [
        {"question": f"who {at}?", "context": f"the cats {at} sleep", "answer": "sleep", "paragraphs": [{"of": at}]}
        for at in range(20)
    ]
    found = own(write(tmp_path / "q.jsonl", rows))
    (task,) = found.suite.tasks
    assert task.kind == "span"
    assert len(read_examples(task, "train", found.folder).examples) == 16


@pytest.mark.parametrize(
    ("labels", "field", "right"),
    [
        (["0", "1"], "label", {0, 1}), (["1", "2"], "ordinal", {0, 1}), (["A", "B"], "letter", {0, 1}),
        (["choice1", "choice2"], "key", {0, 1}), (["good", "good"], "right", {0}),
    ],
)  # fmt: skip
def test_a_choice_s_label_is_a_number_a_letter_a_name_or_the_text(
    tmp_path: Path, labels: list[str], field: str, right: set[int]
) -> None:
    rows = [
        {"premise": f"p{at}", "choice1": "good", "choice2": f"bad{at}", "label": labels[at % 2]} for at in range(20)
    ]
    found = own(write(tmp_path / "c.csv", rows))
    (task,) = found.suite.tasks
    assert task.fields == {"premise": "premise", "choices": ("choice1", "choice2"), field: "label"}
    assert {label for row in read_examples(task, "train", found.folder).examples for label in row.labels} == right


def test_candidates_may_have_names_of_their_own_as_arc_has_them(tmp_path: Path) -> None:
    choices = {"text": ["w", "x", "y"], "label": ["1", "2", "3"]}
    rows = [{"question": f"q{at}", "choices": choices, "answerKey": "2"} for at in range(20)]
    found = own(write(tmp_path / "arc.jsonl", rows))
    (task,) = found.suite.tasks
    assert {row.labels for row in read_examples(task, "dev", found.folder).examples} == {(1,)}


@pytest.mark.parametrize("name", ["columns", "paragraphs", "document", "choices", "answers", "title"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_table_may_call_a_text_as_other_layouts_call_theirs(tmp_path: Path, name: str, ending: str) -> None:
    rows = [{name: row["body"], "team": row["team"]} for row in mails()]
    task = the_task(write(tmp_path / f"m.{ending}", rows), text=name, label="team")
    assert (task.kind, task.classes) == ("classification", TEAMS)
    assert name in task.fields.values()


def test_a_column_file_is_tagging_whatever_numbers_are_given(tmp_path: Path) -> None:
    lines = "\n\n".join("\n".join(f"{word}{at} N{at} {tag}" for word, tag in SENTENCE) for at in range(20))
    data = tmp_path / "a.conll"
    data.write_text(lines)
    for asked in ({}, {"label": "3"}, {"text": "1", "label": "3"}, {"text": "1"}, {"text": "2", "label": "3"}):
        task = the_task(data, **asked)
        assert (task.kind, task.fields["tags"], task.classes) == ("tagging", "3", ("O", "B-PER", "I-PER"))
        assert task.fields["words"] == asked.get("text", "1")


SENTENCE = (("Ada", "B-PER"), ("Lovelace", "I-PER"), ("writes", "O"))


def test_what_is_told_of_a_column_is_told_in_a_line(tmp_path: Path) -> None:
    name = "to\n\rwhom\x1b[K"
    rows = [{**row, name: f"p{at % 7}"} for at, row in enumerate(mails())]
    found = own(write(tmp_path / "m.jsonl", rows), text="body", label="team", group=name)
    assert "rows of one to whom\\u001b[K and equal texts together" in found.lines[1]
