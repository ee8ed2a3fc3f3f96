"""What is made of a hub that is out of reach, or answers with something else than what was asked."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from bench.data import hub
from bench.data.places import hub_revision
from bench.data.sources import load
from bench.errors import UsageError
from bench.model.loading import load_backbone
from bench.model.source import find_model
from tests.data.conftest import BRANCHED, MODEL, PAIRS, REPO, Fetched, use_cache

EMBEDDED = "To run offline give --models a local folder, or use the embedded suite: bench run --suite smoke"


@pytest.fixture
def nothing(online: Fetched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """A cache without anything, and the hub to be asked."""
    use_cache(tmp_path, monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return online


def everything(model: str = MODEL, revision: str | None = None) -> None:
    """All that a run takes of the hub."""
    source = PAIRS.source.model_copy(update={"revision": revision})
    load(PAIRS.model_copy(update={"source": source}), "train", None)
    load_backbone(find_model(model), torch.device("cpu"), "fp32", True)


def refused(model: str = MODEL) -> str:
    with pytest.raises(UsageError) as error:
        find_model(model)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("pinned", [False, True])
def test_a_hub_out_of_reach_is_asked_once_and_all_else_comes_from_the_cache(online: Fetched, pinned: bool) -> None:
    """The same where revisions are commits, of which nothing has to be asked."""
    online.server.silent = True
    commits = (f"{MODEL}@{online.model}", online.dataset) if pinned else ()
    with pytest.warns(UserWarning, match="the hub cannot be reached .*; all is taken from the cache from here on"):
        everything(*commits)
    assert len(online.server.asked) == 1
    assert constants.HF_HUB_OFFLINE
    assert os.environ["HF_HUB_OFFLINE"] == "1"  # for the processes that are begun from this one


def test_what_is_in_the_cache_is_asked_for_once(online: Fetched) -> None:
    everything(f"{MODEL}@{online.model}", online.dataset)
    asked = [each for each in online.server.asked if "/tree/" not in each]  # transformers looks for templates of chats
    assert asked == [f"GET /api/datasets/{REPO}/revision/{online.dataset}"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "the hub has had too many requests (429); wait some minutes, or set HF_TOKEN"),
     (500, "the hub answers 500; try again later"), (503, "the hub answers 503; try again later")],
)  # fmt: skip
def test_a_hub_that_cannot_answer_is_as_one_out_of_reach(online: Fetched, status: int, reason: str) -> None:
    online.server.refusals["/"] = (status, "")
    told = f"the hub cannot be reached ({reason}); all is taken from the cache from here on"
    with pytest.warns(UserWarning, match=re.escape(told)):
        everything()
    assert len(online.server.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_what_is_denied_comes_from_the_cache_and_the_hub_is_still_asked(online: Fetched, status: int) -> None:
    online.server.refusals[f"/api/models/{MODEL}"] = (status, "GatedRepo")
    assert find_model(MODEL).revision == online.model
    assert not constants.HF_HUB_OFFLINE


def test_a_gated_model_says_how_to_get_it(nothing: Fetched) -> None:
    """The hub tells everybody its commit, and nobody its files."""
    nothing.server.refusals[f"/{MODEL}/resolve"] = (403, "GatedRepo")
    gated = f"it is gated: accept its terms at huggingface.co/{MODEL}, then run hf auth login, or set HF_TOKEN"
    assert refused() == f"cannot fetch config.json of {MODEL}: {gated}. {EMBEDDED}"


def test_what_is_denied_says_so(nothing: Fetched) -> None:
    nothing.server.refusals[f"/api/models/{MODEL}"] = (403, "")
    denied = "access is denied (403); run hf auth login, or set HF_TOKEN to one that may read it"
    assert refused().startswith(f"cannot reach the hub for model {MODEL!r} ({denied}), and it is not in the cache. ")


def test_a_name_that_is_none_is_told_the_families(nothing: Fetched) -> None:
    private = "there is none of that name, or it is private: run hf auth login, or set HF_TOKEN, if it is yours"
    assert refused("us/tinny").startswith(f"the hub has no model 'us/tinny' at main: {private}. Families of models: ")


def test_a_revision_that_is_none_says_where_they_are_listed(nothing: Fetched) -> None:
    listed = f"it has no such revision; huggingface.co/{MODEL}/tree/main lists its branches and tags"
    assert refused(f"{MODEL}@v9") == f"the hub has no model {MODEL!r} at v9: {listed}"


def test_a_model_without_safetensors_is_told_before_anything_is_fetched(nothing: Fetched) -> None:
    assert refused(BRANCHED) == (
        f"model {BRANCHED!r} has no *.safetensors weights, and others are not loaded; name a revision that has them "
        f"(--models {BRANCHED}@refs/pr/1, say: its page lists them under Community), or convert it"
    )
    assert nothing.server.asked == [f"GET /api/models/{BRANCHED}"]


def test_a_family_names_the_revision_that_has_safetensors(nothing: Fetched) -> None:
    nothing.server.push("model", "google/electra-small-discriminator", {"pytorch_model.bin": b""})
    assert refused("google/electra-small-discriminator").endswith(
        "; a revision of it has them: --models google/electra-small-discriminator@refs/pr/2"
    )


def test_without_hub_and_cache_the_hint_is_given(nothing: Fetched) -> None:
    nothing.server.silent = True
    with pytest.warns(UserWarning, match="cannot be reached"), pytest.raises(UsageError) as error:
        hub.resolve("aps/super_glue", None, "dataset", "Do this instead.")
    reason, end = str(error.value).removeprefix("cannot reach the hub for dataset 'aps/super_glue' (").rsplit("), ", 1)
    assert (reason != hub.SET, end) == (True, "and it is not in the cache. Do this instead.")
    again = f"cannot reach the hub for model {MODEL!r} ({reason}), "  # and not that a variable is set
    assert refused().startswith(again)


def test_what_the_hub_fetches_anew_is_of_the_commit_that_was_asked_for(
    cached: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library falls back to the newest data set in its cache when the hub breaks off."""
    import datasets

    kept = datasets.Dataset.from_file(
        str(next((cached.folder / "hf/datasets").glob(f"*/p/*/{cached.dataset}/*-train.arrow")))
    )
    monkeypatch.setattr(hub, "resolve", lambda *_, **__: cached.newer)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: kept)
    with pytest.raises(UsageError, match=f"came as {cached.dataset}, not as {cached.newer}"):
        load(PAIRS, "train", None)
    assert hub_revision(PAIRS) == cached.newer
