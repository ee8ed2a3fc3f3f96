"""Rows from a local folder, the hub and a generator; what does not fit is an error that names its place."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest

from bench.data import hub
from bench.data.examples import examples
from bench.data.sources import fingerprint, load
from bench.errors import UsageError
from bench.registry import find_suite
from bench.spec import Source, Task

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RTE, BOOLQ, CB = (find_suite("superglue").task(name) for name in ("rte", "boolq", "cb"))
WORDS = Task(
    name="words", kind="tagging", source=Source(local="words/{split}.jsonl"), texts=("words",), label="tags",
    classes=("O", "B"), metrics=("accuracy",),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


# --- a local folder


def test_local_rows_become_examples_in_their_order(superglue: Path) -> None:
    found = examples(CB, "dev", superglue)
    assert [example.id for example in found] == [str(at) for at in range(12)]
    assert [CB.classes[example.labels[0]] for example in found[:3]] == ["entailment", "contradiction", "neutral"]
    assert set(found[0].texts) == {"premise", "hypothesis"}


def test_rows_know_their_file_and_line_and_blank_lines_count(tmp_path: Path) -> None:
    path = write(tmp_path, "RTE/train.jsonl", '{"a": 1}', "", '{"a": 2}')
    assert [(row.place, row.fields) for row in load(RTE, "train", tmp_path)] == [
        (f"{path}:1", {"a": 1}), (f"{path}:3", {"a": 2}),
    ]  # fmt: skip


def test_boolq_labels_from_json_and_from_the_hub_are_one(tmp_path: Path) -> None:
    row = '{"passage": "a", "question": "b", "label": %s}'
    write(tmp_path, "BoolQ/train.jsonl", *(row % label for label in ("true", "false", '"True"', '"False"')))
    assert [example.labels for example in examples(BOOLQ, "train", tmp_path)] == [(1,), (0,), (1,), (0,)]


def test_tagging_rows_keep_words_and_tags_together(tmp_path: Path) -> None:
    write(tmp_path, "words/train.jsonl", '{"words": ["a", "b"], "tags": ["O", "B"]}')
    (example,) = examples(WORDS, "train", tmp_path)
    assert (example.words, example.labels) == (("a", "b"), (0, 1))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"words": ["a", "b"], "tags": ["O"]}', "2 words but 1 tags"),
        ('{"words": [], "tags": []}', "'words' and 'tags' must be non-empty lists"),
        ('{"words": "a b", "tags": ["O", "O"]}', "'words' and 'tags' must be non-empty lists"),
        ('{"words": ["a"], "tags": ["X"]}', "unknown label 'X' for task 'words'; known: O, B"),
    ],
)
def test_a_spoiled_tagging_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, "words/train.jsonl", row)
    with pytest.raises(UsageError) as error:
        examples(WORDS, "train", tmp_path)
    assert str(error.value) == f"{path}:1: {message}"


def test_another_size_than_the_official_split_is_a_warning(superglue: Path) -> None:
    with pytest.warns(UserWarning, match="rte train: 40 rows, the official split has 2490; scores are not comparable"):
        examples(RTE, "train", superglue)


def test_the_official_size_is_no_warning(superglue: Path) -> None:
    task = RTE.model_copy(update={"sizes": {"train": 40}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        examples(task, "train", superglue)


def test_a_local_fingerprint_follows_the_content_and_not_the_place(superglue: Path, tmp_path: Path) -> None:
    before = fingerprint(RTE, superglue)
    moved = superglue.rename(tmp_path / "moved")
    assert fingerprint(RTE, moved) == before
    with (moved / "RTE/val.jsonl").open("a") as lines:
        lines.write("\n")
    assert fingerprint(RTE, moved) != before


# --- the hub


class Hub:
    """Stands in for the hub: what was asked of it, and the rows it answers with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resolved: list[tuple[Any, ...]] = []
        self.loaded: list[dict[str, Any]] = []
        self.table: datasets.Dataset | None = None
        monkeypatch.setattr(hub, "resolve", self._resolve)
        monkeypatch.setattr(datasets, "load_dataset", self._load)

    def _resolve(self, repo: str, revision: str | None, kind: str, offline_hint: str) -> str:
        self.resolved.append((repo, revision, kind))
        return COMMIT

    def _load(self, repo: str, config: str, **options: Any) -> Any:
        self.loaded.append({"repo": repo, "config": config, **options})
        if self.table is None:
            raise ConnectionError("the wire\nis cut")
        return self.table

    def answers(self, names: list[str], **columns: list[Any]) -> None:
        texts = {name: datasets.Value("string") for name in columns if name not in ("label", "idx")}
        kinds = {**texts, "label": datasets.ClassLabel(names=names), "idx": datasets.Value("int32")}
        self.table = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub(monkeypatch)


def test_the_hub_is_asked_for_the_resolved_revision(fake_hub: Hub) -> None:
    fake_hub.answers(["entailment", "not_entailment"], premise=["a"], hypothesis=["b"], label=[1], idx=[7])
    task = RTE.model_copy(update={"source": RTE.source.model_copy(update={"revision": "v2"})})
    examples(task, "dev", None)
    assert fake_hub.resolved == [("aps/super_glue", "v2", "dataset")]
    asked = {"repo": "aps/super_glue", "config": "rte", "split": "validation", "revision": COMMIT}
    assert fake_hub.loaded == [asked]


def test_class_numbers_become_names_whatever_their_order(fake_hub: Hub) -> None:
    names = ["neutral", "entailment", "contradiction"]
    fake_hub.answers(names, premise=["a"] * 3, hypothesis=["b"] * 3, label=[0, 1, 2], idx=[3, 4, 5])
    found = examples(CB, "train", None)
    assert [CB.classes[example.labels[0]] for example in found] == names
    assert [example.id for example in found] == ["3", "4", "5"]


def test_the_hubs_capital_truth_is_boolqs_label(fake_hub: Hub) -> None:
    fake_hub.answers(["False", "True"], passage=["a", "a"], question=["b", "b"], label=[0, 1], idx=[0, 1])
    found = examples(BOOLQ, "train", None)
    assert [BOOLQ.classes[example.labels[0]] for example in found] == ["false", "true"]


def test_an_unlabelled_hub_row_is_named(fake_hub: Hub) -> None:
    fake_hub.answers(["entailment", "not_entailment"], premise=["a"], hypothesis=["b"], label=[-1], idx=[0])
    with pytest.raises(UsageError, match=r"aps/super_glue/rte dev\[0\]: unknown label"):
        examples(RTE, "dev", None)


def test_a_hub_that_breaks_off_says_how_to_run_offline(fake_hub: Hub) -> None:
    with pytest.raises(UsageError) as error:
        load(RTE, "train", None)
    assert str(error.value) == (
        "cannot load aps/super_glue (rte): the wire is cut. To run offline: --data DIR (a folder with "
        "RTE/train.jsonl), or the embedded suite: bench run --suite smoke"
    )


def test_a_hub_fingerprint_is_the_commit(fake_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(RTE, None)
    assert fingerprint(RTE, None) == before
    assert fingerprint(CB, None) != before
    monkeypatch.setattr(hub, "resolve", lambda *_, **__: COMMIT[::-1])
    assert fingerprint(RTE, None) != before


def test_a_task_without_a_hub_asks_for_data() -> None:
    with pytest.raises(UsageError, match="task 'words' is not on the hub: give --data DIR"):
        fingerprint(WORDS, None)


# --- which commit is meant


@pytest.fixture
def offline_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    hub.resolve.cache_clear()
    return tmp_path


def test_without_the_hub_the_cache_knows_the_commit(offline_cache: Path) -> None:
    write(offline_cache, "datasets--aps--super_glue/refs/main", COMMIT)
    assert hub.resolve("aps/super_glue", None, "dataset", "hint") == COMMIT
    (offline_cache / "datasets--aps--super_glue/snapshots" / COMMIT).mkdir(parents=True)
    assert hub.resolve("aps/super_glue", COMMIT, "dataset", "hint") == COMMIT


def test_without_hub_and_cache_the_hint_is_given(offline_cache: Path) -> None:
    with pytest.raises(UsageError) as error:
        hub.resolve("aps/super_glue", None, "dataset", "Do this instead.")
    assert str(error.value) == (
        "cannot reach the hub for dataset 'aps/super_glue' (HF_HUB_OFFLINE is set), and it is not in the cache. "
        "Do this instead."
    )


def test_an_unreachable_hub_falls_back_to_the_cache(offline_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi, constants

    def unreachable(*_: object, timeout: float, **__: object) -> None:
        assert timeout <= 10
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "repo_info", unreachable)
    with pytest.raises(UsageError, match=r"\(Name or service not known\), and it is not in the cache"):
        hub.resolve("aps/super_glue", None, "dataset", "")
    write(offline_cache, "datasets--aps--super_glue/refs/main", COMMIT)
    assert hub.resolve("aps/super_glue", None, "dataset", "") == COMMIT


# --- a generator


def test_generated_rows_need_no_folder_and_are_part_of_the_fingerprint() -> None:
    def task(words: str) -> Task:
        source = Source(generate=lambda split: [{"premise": words, "hypothesis": split, "label": "entailment"}])
        return RTE.model_copy(update={"source": source})

    (example,) = examples(task("a"), "dev", None)
    assert example.texts == {"premise": "a", "hypothesis": "dev"}
    assert fingerprint(task("a"), None) == fingerprint(task("a"), Path("ignored"))
    assert fingerprint(task("a"), None) != fingerprint(task("b"), None)
