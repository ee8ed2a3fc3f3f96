"""Rows from a local folder, the hub and a generator; what is missing is one error that says what to get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from bench.data import hub
from bench.data.examples import read_examples
from bench.data.places import fingerprint, local_files
from bench.data.sources import load
from bench.errors import UsageError
from bench.task import Source, Split, Task, bio

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PAIRS = Task(
    name="pairs", kind="classification", source=Source(hub="us/pairs", config="p", local=("P/{split}.jsonl",)),
    plain="{premise}[SEP]{hypothesis}", classes=("entailment", "contradiction", "neutral"), metrics=("accuracy",),
    obtain="Ask for it at example.org.",
)  # fmt: skip
TRUTH = PAIRS.model_copy(update={"name": "truth", "plain": "{premise}", "classes": ("false", "true")})
TAGS = Task(name="tags", kind="tagging", source=Source(hub="us/tags"), classes=bio("PER"), metrics=("entity_f1",))


def at(*places: str, **splits: tuple[str, ...]) -> Task:
    """A task of local files; splits have names of their own when given."""
    names = {"local_splits": splits} if splits else {}
    return PAIRS.model_copy(update={"source": Source(local=places, **names)})


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- a local folder


def test_the_first_pattern_that_is_there_is_read_and_in_it_the_first_name(tmp_path: Path) -> None:
    task = at("a/{split}.txt", "b/{split}.txt", train=("train",), dev=("val", "dev"))
    second = write(tmp_path, "b/val.txt", "")
    assert local_files(task, "dev", tmp_path) == [second]
    first = write(tmp_path, "a/dev.txt", "")
    assert local_files(task, "dev", tmp_path) == [first]
    named_first = write(tmp_path, "a/val.txt", "")
    assert local_files(task, "dev", tmp_path) == [named_first]


def test_many_files_are_read_as_one_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/2_gold", "a/9_gold", "b/1_gold", "a/deep/er/0_gold", "b/1_auto"):
        write(tmp_path, f"train/{name}", name)
    (tmp_path / "train/folder_gold").mkdir()
    task = at("{split}/**/*_gold")
    names = [path.relative_to(tmp_path / "train").as_posix() for path in local_files(task, "train", tmp_path)]
    assert names == ["a/9_gold", "a/deep/er/0_gold", "b/1_gold", "b/2_gold"]
    assert [row.fields["columns"] for row in load(task, "train", tmp_path)] == [[[name]] for name in names]


MISSING: list[tuple[Task, tuple[Split, ...], str]] = [
    (PAIRS, ("train",), "the train split of task 'pairs' is missing: no P/train.jsonl. Ask for it at example.org."),
    (
        at("a/{split}", "b/{split}.gz"), ("train", "dev"),
        "the dev split of task 'pairs' is missing: no a/(val|dev) nor b/(val|dev).gz. Ask for it at example.org.",
    ),
    (
        at("a/{split}", dev=("dev",), test=("test",), train=("train",)), ("train", "dev", "test"),
        "the dev split of task 'pairs' is missing: no a/dev; the test split of task 'pairs' is missing: no a/test. "
        "Ask for it at example.org.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("task", "splits", "message"), MISSING)
def test_splits_that_are_missing_are_one_error_that_says_what_to_get(
    tmp_path: Path, task: Task, splits: tuple[Split, ...], message: str
) -> None:
    write(tmp_path, "a/train", "")
    with pytest.raises(UsageError) as error:
        fingerprint(task, tmp_path, splits)
    assert str(error.value) == f"--data {tmp_path}: {message}"


def test_a_data_folder_that_is_none_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, "file", "")
    for place, found in ((file, "a file, not a folder"), (tmp_path / "nowhere", "no such folder")):
        with pytest.raises(UsageError) as error:
            local_files(PAIRS, "train", place)
        assert str(error.value) == f"--data {place}: {found}; give the folder that holds P/train.jsonl"


def test_a_split_that_a_source_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="task 'pairs' has no local test split, only train, dev"):
        load(at("{split}", train=("train",), dev=("dev",)), "test", tmp_path)
    with pytest.raises(UsageError, match="task 'tags' has no local layout; leave out --data"):
        load(TAGS, "train", tmp_path)


def test_a_local_fingerprint_follows_the_content_of_its_splits_and_not_the_place(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        write(tmp_path, f"here/P/{name}.jsonl", name)
    before = fingerprint(PAIRS, tmp_path / "here", ("train", "dev"))
    moved = (tmp_path / "here").rename(tmp_path / "moved")
    write(moved, "P/test.jsonl", "other")
    assert fingerprint(PAIRS, moved, ("train", "dev")) == before
    assert fingerprint(PAIRS, moved, ("train", "test")) != before
    write(moved, "P/dev.jsonl", "other")
    assert fingerprint(PAIRS, moved, ("train", "dev")) != before


# --- the hub


class Hub:
    """Stands in for the hub: what was asked of it, and the rows it answers with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resolved: list[tuple[Any, ...]] = []
        self.loaded: list[dict[str, Any]] = []
        self.table: datasets.Dataset | None = None
        monkeypatch.setattr(hub, "resolve", self._resolve)
        monkeypatch.setattr(datasets, "load_dataset", self._load)

    def _resolve(self, repo: str, revision: str | None, kind: str, offline_hint: str, config: str | None) -> str:
        self.resolved.append((repo, revision, kind, config))
        return COMMIT

    def _load(self, repo: str, config: str, **options: Any) -> Any:
        self.loaded.append({"repo": repo, "config": config, **options})
        if self.table is None:
            raise ConnectionError("the wire\nis cut")
        return self.table

    def answers(self, kinds: dict[str, Any], **columns: list[Any]) -> None:
        texts = {name: datasets.Value("int32" if name == "idx" else "string") for name in columns}
        self.table = datasets.Dataset.from_dict(columns, features=datasets.Features({**texts, **kinds}))


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub(monkeypatch)


NAMES = ["neutral", "entailment", "contradiction"]
CLASSES = {"label": datasets.ClassLabel(names=NAMES)}


def test_the_hub_is_asked_for_the_resolved_revision_and_its_own_name_of_the_split(fake_hub: Hub) -> None:
    fake_hub.answers(CLASSES, premise=["a"], label=[1])
    source = PAIRS.source.model_copy(update={"revision": "v2", "hub_splits": {"dev": "validation_matched"}})
    load(PAIRS.model_copy(update={"source": source}), "dev", None)
    assert fake_hub.resolved == [("us/pairs", "v2", "dataset", "p")]
    asked = {"repo": "us/pairs", "config": "p", "split": "validation_matched", "revision": COMMIT}
    assert fake_hub.loaded == [asked]


def test_a_split_that_is_not_on_the_hub_is_named(fake_hub: Hub) -> None:
    source = PAIRS.source.model_copy(update={"hub_splits": {"train": "train"}})
    with pytest.raises(UsageError, match="task 'pairs' has no test split on the hub, only train"):
        load(PAIRS.model_copy(update={"source": source}), "test", None)


def test_class_numbers_become_names_whatever_their_order(fake_hub: Hub) -> None:
    fake_hub.answers(CLASSES, premise=["a"] * 3, hypothesis=["b"] * 3, label=[0, 1, 2], idx=[3, 4, 5])
    found = read_examples(PAIRS, "train", None).examples
    assert [PAIRS.classes[example.labels[0]] for example in found] == NAMES
    assert [example.id for example in found] == ["3", "4", "5"]


@pytest.mark.parametrize("listed", [datasets.List, datasets.Sequence])
def test_lists_of_class_numbers_become_lists_of_names(fake_hub: Hub, listed: Any) -> None:
    tags = listed(datasets.ClassLabel(names=["O", "B-PER", "I-PER"]))
    fake_hub.answers(
        {"words": listed(datasets.Value("string")), "tags": tags}, words=[["a", "b", "c"]], tags=[[1, 2, 0]]
    )
    (row,) = load(TAGS, "train", None)
    assert (row.place, row.fields["tags"]) == ("us/tags/None train[0]", ["B-PER", "I-PER", "O"])
    (example,) = read_examples(TAGS, "train", None).examples
    assert (example.words, example.labels) == (("a", "b", "c"), (1, 2, 0))


def test_the_hubs_capital_truth_is_a_label_in_small_letters(fake_hub: Hub) -> None:
    fake_hub.answers({"label": datasets.ClassLabel(names=["False", "True"])}, premise=["a", "b"], label=[0, 1])
    found = read_examples(TRUTH, "train", None).examples
    assert [TRUTH.classes[example.labels[0]] for example in found] == ["false", "true"]


def test_an_unlabelled_hub_row_is_named(fake_hub: Hub) -> None:
    fake_hub.answers(CLASSES, premise=["a"], hypothesis=["b"], label=[-1])
    with pytest.raises(UsageError, match=r"us/pairs/p dev\[0\]: unknown label '-1' for task 'pairs'"):
        read_examples(PAIRS, "dev", None)


def test_a_hub_that_breaks_off_says_how_to_run_offline(fake_hub: Hub) -> None:
    with pytest.raises(UsageError) as error:
        load(PAIRS, "train", None)
    assert str(error.value) == (
        "cannot load us/pairs (p): the wire is cut. To run offline: --data DIR (a folder with P/train.jsonl), or the "
        "embedded suite: bench run --suite smoke"
    )


def test_the_same_rows_divided_elsewhere_have_another_fingerprint(tmp_path: Path) -> None:
    rows = [f'{{"premise": "p{number}", "hypothesis": "h", "label": "neutral"}}\n' for number in range(4)]
    found = set()
    for cut in (1, 2, 3):
        folder = tmp_path / str(cut)
        (folder / "P").mkdir(parents=True)
        (folder / "P/train.jsonl").write_text("".join(rows[:cut]))
        (folder / "P/val.jsonl").write_text("".join(rows[cut:]))
        found.add(fingerprint(PAIRS, folder, ("train", "dev")))
    assert len(found) == 3


def test_a_hub_fingerprint_is_the_commit(fake_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(PAIRS, None, ("train", "dev"))
    assert fingerprint(PAIRS, None, ("train", "test")) == before
    assert fingerprint(TAGS, None, ("train", "dev")) != before
    monkeypatch.setattr(hub, "resolve", lambda *_, **__: COMMIT[::-1])
    assert fingerprint(PAIRS, None, ("train", "dev")) != before


def test_a_task_without_a_hub_asks_for_data() -> None:
    with pytest.raises(UsageError, match=r"task 'pairs' is not on the hub: give --data DIR\. Ask for it"):
        fingerprint(at("{split}"), None, ("train",))


# --- a generator


def test_generated_rows_need_no_folder_and_are_part_of_the_fingerprint() -> None:
    def task(words: str) -> Task:
        source = Source(generate=lambda split: [{"premise": words, "hypothesis": split, "label": "entailment"}])
        return PAIRS.model_copy(update={"source": source})

    (example,) = read_examples(task("a"), "dev", None).examples
    assert example.texts == {"premise": "a", "hypothesis": "dev"}
    before = fingerprint(task("a"), None, ("train", "dev"))
    assert fingerprint(task("a"), Path("ignored"), ("train", "dev")) == before
    assert fingerprint(task("a"), None, ("train", "test")) != before
    assert fingerprint(task("b"), None, ("train", "dev")) != before
