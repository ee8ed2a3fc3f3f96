"""GLUE's tables and the hub's rows become the same examples; OntoNotes' documents of the hub their sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from tests.suites.test_task_examples import from_file, from_rows, labels

pytestmark = pytest.mark.filterwarnings("ignore:.* the official split has")
MNLI_HEAD = (
    "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse "
    "sentence1 sentence2 label1 gold_label"
).split()
ROWS: dict[str, tuple[str, str, dict[str, Any], str]] = {  # a table and its line, the hub's row, the label of either
    "cola": ("CoLA/dev.tsv", 'gj04\t0\t*\t"A fell.', {"sentence": '"A fell.', "label": "unacceptable"}, "unacceptable"),
    "mrpc": (
        "MRPC/dev.tsv", 'Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\t"A fell.\tB',
        {"sentence1": '"A fell.', "sentence2": "B", "label": "equivalent", "idx": 3}, "equivalent",
    ),
    "qqp": (
        "QQP/dev.tsv", 'id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n3\t7\t8\t"A?\tB?\t0',
        {"question1": '"A?', "question2": "B?", "label": "not_duplicate", "idx": 3}, "not_duplicate",
    ),
    "qnli": (
        "QNLI/dev.tsv", "index\tquestion\tsentence\tlabel\n3\tWho?\tA.\tnot_entailment",
        {"question": "Who?", "sentence": "A.", "label": "not_entailment", "idx": 3}, "not_entailment",
    ),
    "wnli": (
        "WNLI/dev.tsv", "index\tsentence1\tsentence2\tlabel\n3\tA.\tB.\t1",
        {"sentence1": "A.", "sentence2": "B.", "label": "entailment", "idx": 3}, "entailment",
    ),
    "rte": (
        "RTE/dev.tsv", "index\tsentence1\tsentence2\tlabel\n3\tA.\tB.\tnot_entailment",
        {"premise": "A.", "hypothesis": "B.", "label": "not_entailment", "idx": 3}, "not_entailment",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_glue_s_tables_and_the_hub_s_rows_are_the_same_examples(tmp_path: Path, name: str) -> None:
    place, content, row, label = ROWS[name]
    (local,) = from_file(tmp_path, name, place, content)
    (hub,) = from_rows(name, row)
    assert labels(name, local) == labels(name, hub) == label
    assert (local.texts, local.group) == (hub.texts, hub.group)


def test_cola_s_table_has_no_header_and_loses_no_line(tmp_path: Path) -> None:
    lines = "gj04\t1\t\tA fell.\ngj04\t0\t*\tFell a.\n"
    found = from_file(tmp_path, "cola", "CoLA/dev.tsv", lines)
    assert [labels("cola", each) for each in found] == ["acceptable", "unacceptable"]


def test_a_header_that_somebody_gave_cola_is_no_row(tmp_path: Path) -> None:
    headed = "sentence\tlabel\tmark\tsource\nA fell.\t1\t\tgj04\n"
    (only,) = from_file(tmp_path, "cola", "CoLA/dev.tsv", headed)
    assert (only.texts, labels("cola", only)) == ({"sentence": "A fell."}, "acceptable")


def test_qqp_s_questions_on_two_lines_are_counted(tmp_path: Path) -> None:
    lines = ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "1\t1\t2\tA?\tB?\t1", "2\t3\t4\tC", "D?\tE?\t0"]
    with pytest.warns(UserWarning, match="2 × a line that lacks cells"):
        assert len(from_file(tmp_path, "qqp", "QQP/dev.tsv", "\n".join(lines))) == 1


def test_both_dev_sets_of_mnli_are_scored_and_told_apart(tmp_path: Path) -> None:
    def table(pair: str, genre: str) -> str:
        cells = ["0", "0", pair, genre, *"pppp", "A.", "B.", "neutral", "neutral"]
        return "\t".join(MNLI_HEAD) + "\n" + "\t".join(cells)

    (tmp_path / "MNLI").mkdir()
    (tmp_path / "MNLI/dev_mismatched.tsv").write_text(table("7n", "oup"))
    found = from_file(tmp_path, "mnli", "MNLI/dev_matched.tsv", table("6n", "travel"))
    assert [(each.id, each.subset) for each in found] == [("6n", "matched"), ("7n", "mismatched")]
    assert {labels("mnli", each) for each in found} == {"neutral"}
    train = from_file(tmp_path, "mnli", "MNLI/train.tsv", table("6n", "travel"), "train")
    assert [each.subset for each in train] == [None]


def test_the_hub_s_two_splits_of_mnli_are_its_dev_sets() -> None:
    row = {"premise": "A.", "hypothesis": "B.", "label": "neutral", "idx": 0}
    splits = ("validation_matched", "validation_mismatched")
    found = from_rows("mnli", *({**row, "hub_split": split} for split in splits))
    assert [(each.id, each.subset) for each in found] == [("matched-0", "matched"), ("mismatched-0", "mismatched")]


# --- OntoNotes as the hub's conversion has it: a row per document

SENTENCE = {
    "words": ["Ann", "met", "Bo"], "named_entities": ["B-PERSON", "O", "B-PERSON"],
    "srl_frames": [{"verb": "met", "frames": ["B-ARG0", "B-V", "B-ARG1"]}],
}  # fmt: skip


@pytest.mark.parametrize(("name", "tags"), [("ontonotes", "B-PERSON O B-PERSON"), ("conll12", "B-ARG0 B-V B-ARG1")])
def test_documents_of_the_hub_are_their_sentences(name: str, tags: str) -> None:
    (only,) = from_rows(name, {"document_id": "nw/wsj/00/wsj_0001", "sentences": [SENTENCE]})
    assert (only.words, labels(name, only), only.group) == (("Ann", "met", "Bo"), tags, "nw/wsj/00/wsj_0001")


def test_a_document_of_the_pivot_text_has_no_entities() -> None:
    row = {"document_id": "pt/nt/40/nt_4001", "sentences": [SENTENCE]}
    with pytest.raises(UsageError, match="has no rows that can be used: 1 × a sentence of the pivot text"):
        from_rows("ontonotes", row)
