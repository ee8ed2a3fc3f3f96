"""A cell of a user's own file answers from its results folder alone: nothing else says how the file is read."""

from __future__ import annotations

import json

import pytest

from bench import predict, registry
from bench.errors import UsageError
from bench.store.store import Store

RED, BLUE = ("word1 word2 word3", "word4 word5 word6")


@pytest.fixture
def own_cell(bench, tiny_bert, tmp_path):
    """Trains one small cell on a file, forgets its suite; returns the cell's id."""

    def run(name: str, text: str, *flags: str) -> str:
        (tmp_path / name).write_text(text)
        code, _, err = bench("run", "--data", name, *flags, "--models", tiny_bert, "--methods", "linear_probe",
                             "--seeds", 1, "--steps", 2, "--max-length", 24, "--precision", "fp32", "--device", "cpu",
                             "--out", "results/own")  # fmt: skip
        assert code == 0, err
        (record,) = Store.open(tmp_path / "results" / "own").records()
        del registry._SUITES[record.cell.suite]
        return record.id

    return run


def test_a_table_without_its_labels_is_answered(own_cell, tmp_path):
    rows = "".join(f"{RED} word{at},red\n{BLUE} word{at},blue\n" for at in range(30))
    cell = own_cell("mails.csv", f"body,team\n{rows}", "--text", "body", "--label", "team")
    table = predict(cell, [{"body": RED, "when": "now"}, {"body": BLUE, "when": "then"}])
    assert table.columns.tolist() == ["id", "body", "when", "prediction", "probability", "p(blue)", "p(red)"]
    assert set(table["prediction"]) <= {"red", "blue"}


def test_words_without_tags_are_answered(own_cell, tmp_path):
    sentences = "".join(f"word{at} O\nword{at + 1} B-PER\n\n" for at in range(50))
    cell = own_cell("ner.txt", sentences)
    (tmp_path / "new.txt").write_text("word1\nword2\n\nword3\n")
    assert predict(cell, "new.txt")["words"].tolist() == [["word1", "word2"], ["word3"]]


def test_a_table_of_another_task_is_one_line(own_cell, bench, tmp_path):
    rows = "".join(f"{RED} word{at},red\n{BLUE} word{at},blue\n" for at in range(30))
    cell = own_cell("mails.csv", f"body,team\n{rows}", "--text", "body", "--label", "team")
    (tmp_path / "other.csv").write_text("text\nword1\n")
    said = bench.refusal(*bench("predict", cell, "--data", "other.csv"))
    assert said == "error: other.csv has no column 'body'; it has 'text'"


def test_a_layout_of_another_kind_of_task_is_one_line(own_cell, bench, tmp_path):
    rows = "".join(f"{RED} word{at},red\n{BLUE} word{at},blue\n" for at in range(30))
    cell = own_cell("mails.csv", f"body,team\n{rows}", "--text", "body", "--label", "team")
    (tmp_path / "new.txt").write_text("word1\nword2\n\nword3\n")
    article = {"title": "T", "paragraphs": [{"context": "word1 word2", "qas": [{"id": "q", "question": "word1"}]}]}
    (tmp_path / "squad.json").write_text(json.dumps({"version": "1.1", "data": [article]}))
    for flags in ((), ("--score",)):
        for name, columns in (("new.txt", "'columns'"), ("squad.json", "'title', 'paragraphs'")):
            said = bench.refusal(*bench("predict", cell, "--data", name, *flags))
            assert said == f"error: {name} has no column 'body'; it has {columns}"


def test_rows_without_examples_cannot_be_scored(own_cell, bench, tmp_path):
    question = {"context": "word1 word2 word3", "question": "word2 ?", "answers": ["word1"]}
    rows = [{**question, "context": f"word1 word2 word{at}"} for at in range(30)]
    cell = own_cell("questions.jsonl", "\n".join(map(json.dumps, rows)))
    (tmp_path / "squad.json").write_text(json.dumps({"version": "1.1", "data": [{"title": "T", "paragraphs": []}]}))
    said = bench.refusal(*bench("predict", cell, "--data", "squad.json", "--score", "--to", "a.csv"))
    why = "1 × an article without paragraphs"
    assert said == f"error: there is nothing to score: the rows hold no example ({why})"


def test_what_is_answered_although_it_is_empty_is_told(own_cell, tmp_path):
    rows = "".join(f"{RED} word{at},red\n{BLUE} word{at},blue\n" for at in range(30))
    cell = own_cell("mails.csv", f"body,team\n{rows}", "--text", "body", "--label", "team")
    with pytest.warns(UserWarning, match=r"answered although: 2 × an empty 'body' \(first at rows\[1\]\)"):
        table = predict(cell, [{"body": RED}, {"bod": BLUE}, {"body": None, 3: "four"}])
    assert len(table) == 3
    with pytest.raises(UsageError, match="rows has no column 'team'; it has 'body', '3'"):
        predict(cell, [{"body": RED, 3: "four"}], score=True)
