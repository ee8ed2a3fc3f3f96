"""A data set of the hub as a user's own: its splits, its classes, and the commit that is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from bench.data.examples import read_examples
from bench.data.places import fingerprint
from bench.errors import UsageError
from bench.own import places
from tests.own.mails import TEAMS, mails, own

COMMIT = "c0ffee" * 6 + "cafe"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, datasets.Dataset]:
    """What the hub's data set us/mails has, by split; its labels are class numbers, hidden ones -1."""
    tables: dict[str, datasets.Dataset] = {}

    def load(repo: str, config: str | None, revision: str, split: str | None = None) -> Any:
        assert (repo, revision) == ("us/mails", COMMIT)
        return datasets.DatasetDict(tables) if split is None else tables[split]

    for room in ("bench.own.places", "bench.data.hub"):
        monkeypatch.setattr(f"{room}.resolve", lambda *_, **__: COMMIT)
        monkeypatch.setattr(f"{room}.prepared", lambda *_: None)
    monkeypatch.setattr(datasets, "load_dataset", load)
    return tables


def table(count: int, hidden: bool = False) -> datasets.Dataset:
    rows = [{"body": row["body"], "team": -1 if hidden else TEAMS.index(row["team"])} for row in mails(count)]
    features = datasets.Features({"body": datasets.Value("string"), "team": datasets.ClassLabel(names=list(TEAMS))})
    return datasets.Dataset.from_list(rows, features=features)


def test_its_splits_are_used_and_hidden_labels_are_no_labels(hub: dict[str, datasets.Dataset]) -> None:
    hub |= {"train": table(30), "validation": table(9), "test": table(6, hidden=True)}
    found = own("hub:us/mails@v1:plain")
    (task,) = found.suite.tasks
    assert (task.source.hub, task.source.config, task.source.revision) == ("us/mails", "plain", COMMIT)
    assert (task.classes, task.scored, found.folder) == (TEAMS, "dev", None)
    assert found.lines[1] == "  train 30, scored on dev 9: the hub's train, validation, test"
    assert found.cautions == ("mails-plain: us/mails test has no labels and is not read",)


def test_a_single_split_is_divided(hub: dict[str, datasets.Dataset]) -> None:
    hub |= {"all": table(30)}
    found = own("hub:us/mails")
    (task,) = found.suite.tasks
    assert found.lines[1] == "  train 24, scored on dev 6: 20 % of us/mails all, by label, equal texts together, seed 0"
    assert len(read_examples(task, "dev", None).examples) == 6
    assert fingerprint(task, Path("ignored"), ("train", "dev")) == fingerprint(task, None, ("train", "dev"))


def test_splits_of_which_none_is_train_are_named(hub: dict[str, datasets.Dataset]) -> None:
    hub |= {"a": table(6), "b": table(6)}
    with pytest.raises(UsageError, match=r"--data hub:us/mails: none of its splits a, b is called train"):
        own("hub:us/mails")


def test_a_configuration_that_is_missing_is_asked_for(
    hub: dict[str, datasets.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise ValueError("Config name is missing.\nPlease pick one among the available configs: ['a', 'b']")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(UsageError, match=r"\['a', 'b'\]; name one behind the id, like :CONFIG"):
        own("hub:us/mails")
    assert places.HUB == "hub:"
