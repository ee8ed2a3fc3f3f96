"""How a user's rows come to train and the split that is scored."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.data.examples import read_examples
from bench.errors import UsageError
from bench.own.inference import MOST_ROWS, Wanted, understood
from bench.own.places import lying
from bench.own.suite import OwnData
from bench.task import Example
from tests.own.mails import TEAMS, mails, own, write


def splits(found: OwnData) -> dict[str, list[Example]]:
    (task,) = found.suite.tasks
    names = task.splits("holdout")
    return {name: read_examples(task, name, found.folder).examples for name in names}


def texts(examples: list[Example]) -> list[str]:
    return [example.texts["body"] for example in examples]


def test_a_split_that_is_made_gives_each_class_its_share_and_no_row_twice(tmp_path: Path) -> None:
    rows = mails(90)
    made = splits(own(write(tmp_path / "m.csv", rows)))
    assert sorted(texts(made["train"]) + texts(made["dev"])) == sorted(row["body"] for row in rows)
    assert Counter(TEAMS[row.labels[0]] for row in made["dev"]) == dict.fromkeys(TEAMS, 6)


def test_flags_that_do_not_matter_do_not_change_it(tmp_path: Path) -> None:
    rows = [{"no": at, **row} for at, row in enumerate(mails())]
    data = write(tmp_path / "m.csv", rows)
    plain = texts(splits(own(data, text="body", label="team"))["dev"])
    for asked in ({"id": "no"}, {"kind": "classification"}, {"seeds": (7,)}):
        assert texts(splits(own(data, text="body", label="team", **asked))["dev"]) == plain


def test_rows_of_a_group_and_equal_texts_stay_together(tmp_path: Path) -> None:
    rows = [{**row, "who": f"c{at // 3}"} for at, row in enumerate(mails(90))]
    made = splits(own(write(tmp_path / "g.csv", rows), text="body", label="team", group="who"))
    assert {row.group for row in made["train"]} & {row.group for row in made["dev"]} == set()
    again = splits(own(write(tmp_path / "e.csv", [*mails(30), *mails(30)])))
    assert set(texts(again["train"])) & set(texts(again["dev"])) == set()
    assert (len(again["train"]), len(again["dev"])) == (48, 12)


def test_what_says_the_same_as_a_row_of_train_in_another_group_is_not_scored(tmp_path: Path) -> None:
    rows = [{**row, "who": f"c{at}"} for at, row in enumerate([*mails(30), *mails(30)])]
    made = splits(own(write(tmp_path / "g.csv", rows), text="body", label="team", group="who"))
    assert set(texts(made["train"])) & set(texts(made["dev"])) == set()


def test_a_class_of_one_row_stays_in_train(tmp_path: Path) -> None:
    rows = [*mails(60), {"body": "once", "team": "legal"}]
    found = own(write(tmp_path / "m.csv", rows))
    assert "once" in texts(splits(found)["train"])
    assert found.cautions == ("m: 1 of 4 classes have fewer than 5 rows: legal 1",)


@pytest.mark.parametrize("named", ["dev", "valid", "validation", "val", "test"])
@pytest.mark.parametrize(
    ("train", "other"), [("train.csv", "{}.csv"), ("m-train.csv", "m-{}.csv"), ("m.csv", "m_{}.csv")]
)
def test_files_beside_it_are_its_splits(tmp_path: Path, train: str, other: str, named: str) -> None:
    data, beside = write(tmp_path / train, mails()), other.format(named)
    write(tmp_path / beside, mails(9, seed=1))
    split = "test" if named == "test" else "dev"
    for found in (own(data), own(tmp_path) if "train" in train else own(data)):
        assert found.lines[1].startswith(f"  train 60, scored on {split} 9: ")
        assert beside in found.lines[1]


def test_dev_is_scored_where_test_has_no_labels(tmp_path: Path) -> None:
    data = write(tmp_path / "train.csv", mails())
    write(tmp_path / "dev.csv", mails(9, seed=1))
    write(tmp_path / "test.csv", [{**row, "team": ""} for row in mails(9, seed=2)])
    found = own(data)
    assert found.lines[1].startswith("  train 60, scored on dev 9: ")
    assert found.cautions[0].endswith("test.csv has no labels and is not read")


@pytest.mark.parametrize("asked", [{}, {"split_by": "split"}])
def test_a_column_says_which_split_a_row_is_of(tmp_path: Path, asked: dict[str, Any]) -> None:
    names = ("train", "train", "Train", "val", "test")
    rows = [{**row, "split": names[at % 5]} for at, row in enumerate(mails(60))]
    found = own(write(tmp_path / "m.csv", rows), text="body", label="team", **asked)
    assert found.lines[1] == "  train 36, scored on test 12: by column 'split' of m.csv"
    assert texts(splits(found)["test"]) == [row["body"] for row in rows if row["split"] == "test"]


def test_classes_are_those_of_train_and_one_in_the_scored_split_alone_is_named(tmp_path: Path) -> None:
    data = write(tmp_path / "train.csv", mails())
    write(tmp_path / "dev.csv", [*mails(3, seed=1), {"body": "x y", "team": "legal"}])
    with pytest.raises(UsageError) as error:
        own(data)
    assert str(error.value) == (
        f"{tmp_path}/dev.csv:5: label 'legal' stands in no row of train, so that nothing can learn it; train has "
        "press, sales, support"
    )


def test_of_more_rows_than_most_some_are_drawn_and_told(tmp_path: Path) -> None:
    data = write(tmp_path / "m.csv", mails(200))
    wanted = Wanted(name="m", most_rows=50)
    first, second = (understood(lying(data), wanted) for _ in range(2))
    assert first.num_rows == 200
    assert sum(len(read.examples) for read in first.splits.values()) == 50
    assert [row.texts for row in first.splits["train"].examples] == [
        row.texts for row in second.splits["train"].examples
    ]
    places = {text: at for at, text in enumerate(row["body"] for row in mails(200))}
    drawn = [places[row.texts["body"]] for row in first.splits["train"].examples]
    assert drawn == sorted(drawn)
    assert max(drawn) > 100
    assert MOST_ROWS == 200_000


def test_rows_without_a_label_are_left_out_of_what_nobody_has_said_is_scored(tmp_path: Path) -> None:
    rows = [{**row, "team": "" if at in (3, 30) else row["team"]} for at, row in enumerate(mails(60))]
    assert own(write(tmp_path / "m.csv", rows)).lines[2] == "  left out: 2 × a row without a label"
    write(tmp_path / "train.csv", mails(30))
    write(tmp_path / "dev.csv", rows)
    with pytest.raises(
        UsageError, match=r"dev\.csv, which is scored, of which nothing is left out: 'team' is empty in 2"
    ):
        own(tmp_path / "train.csv")
