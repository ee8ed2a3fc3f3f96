"""Which commit of a repository is meant: asked of a stand-in of the hub once, then known from the cache it filled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from bench.data import hub
from bench.data.places import hub_revision
from bench.data.sources import load
from bench.errors import UsageError
from bench.model.source import find_model, on_hub
from bench.plan.models import chosen_models
from bench.task import Task
from tests.data.conftest import BRANCHED, CONVERTED, MODEL, PAIRS, REPO, Fetched, use_cache

OTHER = "0123456789abcdef0123456789abcdef01234567"


def premises(task: Task = PAIRS) -> list[str]:
    return [row.fields["premise"] for row in load(task, "train", None)]


def at(revision: str, commit: str = "") -> Task:
    return PAIRS.model_copy(update={"source": PAIRS.source.model_copy(update={"revision": revision, "commit": commit})})


def test_a_data_set_once_fetched_comes_from_the_cache_with_its_commit(cached: Fetched) -> None:
    assert not (cached.folder / "hf/hub/datasets--us--PairSet/refs").exists()  # nobody else says which commit it was
    assert hub_revision(PAIRS) == cached.dataset
    assert premises() == ["train a", "b"]
    assert cached.server.asked == []


def test_a_model_once_fetched_comes_from_the_cache_with_its_commit(cached: Fetched) -> None:
    assert not (cached.folder / "hf/hub/models--us--tiny/refs").exists()
    found = find_model(MODEL)
    assert (found.revision, found.layers) == (cached.model, 2)
    assert cached.server.asked == []


def test_without_our_notes_the_commit_that_is_in_the_cache_is_taken_and_told(own_copy: Path, cached: Fetched) -> None:
    shutil.rmtree(own_copy / "own")
    for revision in (None, "main"):
        with pytest.warns(UserWarning, match=f"dataset {REPO} is taken at {cached.dataset}, the newest in the cache"):
            assert hub.resolve(REPO, revision, "dataset", "", config="p") == cached.dataset


def test_a_newer_commit_that_was_only_looked_up_is_not_taken_for_the_one_in_the_cache(
    own_copy: Path, online: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cache(own_copy, monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert hub_revision(PAIRS) == online.newer
    use_cache(own_copy, monkeypatch)
    with pytest.warns(UserWarning, match=f"is taken at {online.dataset}"):
        assert (hub_revision(PAIRS), premises()) == (online.dataset, ["train a", "b"])


def test_another_configuration_than_the_one_fetched_is_not_in_the_cache(cached: Fetched) -> None:
    assert hub.resolve(REPO, None, "dataset", "", config=None) == cached.dataset
    with pytest.raises(UsageError) as error:
        hub.resolve(REPO, None, "dataset", "Do this instead.", config="q")
    assert str(error.value) == (
        f"cannot reach the hub for dataset {REPO!r} (q) (HF_HUB_OFFLINE is set), and it is not in the cache. "
        "Do this instead."
    )


def test_a_configuration_of_the_hub_s_conversions_is_a_folder_there(cached: Fetched) -> None:
    assert premises(CONVERTED) == ["v4"]
    source = CONVERTED.source.model_copy(update={"config": "english_v12"})
    with pytest.raises(UsageError, match=r"dataset 'us/script' \(english_v12\) at refs/convert/parquet "):
        hub_revision(CONVERTED.model_copy(update={"source": source}))
    assert cached.server.asked == []


def test_a_commit_is_itself_and_not_the_newest(cached: Fetched) -> None:
    assert premises(at(cached.dataset)) == ["train a", "b"]
    with pytest.raises(UsageError, match=rf"dataset '{REPO}' \(p\) at {OTHER} .* The cache has it at {cached.dataset}"):
        hub_revision(at(OTHER))


def test_a_branch_is_the_commit_that_it_was_when_the_hub_was_asked(cached: Fetched) -> None:
    assert find_model(f"{BRANCHED}@refs/pr/4").revision == cached.branched
    assert cached.server.asked == []


def test_a_branch_of_which_nothing_is_noted_is_not_guessed(own_copy: Path, cached: Fetched) -> None:
    shutil.rmtree(own_copy / "own")
    with pytest.raises(UsageError, match=f"not in the cache. The cache has it at {cached.branched}. To run offline"):
        find_model(f"{BRANCHED}@refs/pr/4")
    assert find_model(f"{BRANCHED}@{cached.branched}").revision == cached.branched


def test_what_lacks_its_weights_is_not_in_the_cache(own_copy: Path, cached: Fetched) -> None:
    for path in (own_copy / "hf/hub/models--us--tiny/snapshots").glob("*/model.safetensors"):
        path.unlink()
    with pytest.raises(UsageError, match="cannot reach the hub for model 'us/tiny'"):
        find_model(MODEL)


@pytest.mark.parametrize("moved", ["HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE"])
def test_caches_may_lie_elsewhere(own_copy: Path, cached: Fetched, moved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = own_copy / "elsewhere"
    if moved == "HF_HOME":
        (own_copy / "hf").rename(there)
        monkeypatch.setattr(constants, "HF_HOME", str(there))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(there / "hub"))
    elif moved == "HF_HUB_CACHE":
        (own_copy / "hf/hub").rename(there)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(there))
    else:
        (own_copy / "hf/datasets").rename(there)
        monkeypatch.setenv("HF_DATASETS_CACHE", str(there))
    assert (premises(), find_model(MODEL).revision) == (["train a", "b"], cached.model)


def test_a_branch_that_has_gone_on_since_the_task_was_declared_is_told(cached: Fetched) -> None:
    hub_revision(at("main", commit=cached.dataset[:7]))
    told = f"task 'pairs': {REPO} has gone on from 1234567, which the task was declared for, to {cached.dataset[:7]}"
    with pytest.warns(UserWarning, match=told):
        hub_revision(at("main", commit="1234567"))


def test_a_worker_finds_the_very_commit_that_was_planned(cached: Fetched) -> None:
    planned = find_model(f"{BRANCHED}@refs/pr/4")
    assert planned.reference == f"{BRANCHED}@{cached.branched}"
    assert find_model(planned.reference) == planned


def test_two_revisions_of_a_model_have_names_that_tell_them_apart(cached: Fetched) -> None:
    (alone,), _ = chosen_models((f"{BRANCHED}@refs/pr/4",), {})
    assert alone.name == BRANCHED
    other = cached.folder / "hf/hub/models--us--branched/snapshots" / OTHER
    shutil.copytree(other.with_name(cached.branched), other)
    try:
        both, _ = chosen_models((f"{BRANCHED}@refs/pr/4", f"{BRANCHED}@{OTHER}"), {})
        assert [model.name for model in both] == [f"{BRANCHED}@refs/pr/4", f"{BRANCHED}@{OTHER[:7]}"]
        assert len({model.fingerprint for model in both}) == 2
    finally:
        shutil.rmtree(other)


@pytest.mark.parametrize(
    ("reference", "hub_has_it"),
    [
        ("us/tiny", True), ("us/tiny@refs/pr/4", True), ("roberta-base@v1", True), ("./us/tiny@v1", False),
        ("/models/tiny", False), ("a/b/c", False),
    ],
)  # fmt: skip
def test_a_revision_makes_an_id_no_path(reference: str, hub_has_it: bool) -> None:
    assert on_hub(reference) is hub_has_it


def test_an_id_without_its_revision_is_named() -> None:
    with pytest.raises(UsageError, match="--models us/tiny@: give it as ID@REVISION"):
        find_model("us/tiny@")
