"""Which commit of a hub repository is meant, online or from the local cache. No torch here: the plan asks.

Everything is fetched by commit, so the hub client's own notes (`refs/main`) are never written: which commit a revision
was, when the hub was last asked, is kept beside the tokens (see bench.data.cache).
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from bench.data.cache import cache_folder
from bench.errors import UsageError

RepoKind = Literal["model", "dataset"]


@cache
def resolve(repo: str, revision: str | None, kind: RepoKind, offline_hint: str, config: str | None = None) -> str:
    """The full commit hash of `repo` at `revision` (default: main).

    Asks the hub. When it cannot be reached, which is tried once in a process, takes what the cache holds (of a data
    set: of this `config`): the commit the revision last was, else the newest. UsageError when neither knows it.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    reason = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        try:
            commit = HfApi().repo_info(repo, repo_type=kind, revision=revision, timeout=10).sha
            if commit:
                _note(repo, revision, kind, commit)
                return str(commit)
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise UsageError(f"the hub has no {kind} {repo!r} at {revision or 'main'}: {_first_line(error)}") from None
        except HfHubHTTPError as error:  # it answers, but not with what was asked
            reason = _first_line(error)
        except Exception as error:  # the HTTP client's own errors; which client it is changes between versions
            reason = _first_line(error)
            _stay_offline(reason)
    for commit in _known(repo, revision, kind):
        if _held(repo, kind, commit, config):
            return commit
    if revision is None:
        for commit in _newest(repo, kind):
            if _held(repo, kind, commit, config):
                warnings.warn(f"{kind} {repo} is taken at {commit}, the newest in the cache", stacklevel=2)
                return commit
    source = f"{kind} {repo!r}{f' ({config})' if config else ''}{f' at {revision}' if revision else ''}"
    raise UsageError(f"cannot reach the hub for {source} ({reason}), and it is not in the cache. {offline_hint}")


def prepared(repo: str, commit: str, config: str | None) -> Path | None:
    """The folder in which `datasets` keeps a data set as it made it of this commit, if it is there."""
    from huggingface_hub import constants

    cache_root = os.environ.get("HF_DATASETS_CACHE")
    root = Path(cache_root).expanduser() if cache_root else Path(constants.HF_HOME) / "datasets"
    if not root.is_dir():
        return None
    wanted = _plain(repo.replace("/", "___"))
    names = [name for name in sorted(root.iterdir()) if _plain(name.name) == wanted]
    folders = [path for name in names for path in sorted(name.glob(f"{config or '*'}/*/{commit}")) if path.is_dir()]
    return folders[0] if len(folders) == 1 and (folders[0] / "dataset_info.json").is_file() else None


def _plain(name: str) -> str:
    """A name as `datasets` has it in its cache: BoolQ is bool_q there."""
    return name.replace("_", "").casefold()


def _stay_offline(reason: str) -> None:
    """From here on nothing asks the network again: every file that is looked for would be tried five times."""
    from huggingface_hub import constants

    warnings.warn(f"the hub cannot be reached ({reason}); all is taken from the cache from here on", stacklevel=3)
    constants.HF_HUB_OFFLINE = True
    if "datasets" in sys.modules:  # it has a copy
        sys.modules["datasets"].config.HF_HUB_OFFLINE = True


def _note_of(repo: str, revision: str | None, kind: RepoKind) -> Path:
    return cache_folder() / "hub" / f"{kind}s--{repo.replace('/', '--')}" / (revision or "main")


def _note(repo: str, revision: str | None, kind: RepoKind, commit: str) -> None:
    """Keep which commit a revision is; where nothing can be written, the newest in the cache will have to do."""
    path = _note_of(repo, revision, kind)
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(commit)
        aside.replace(path)
    except OSError:
        pass


def _known(repo: str, revision: str | None, kind: RepoKind) -> Iterator[str]:
    """The commits that a revision was, for all this machine knows: as we saw it, as the hub client did, as it says."""
    for path in (_note_of(repo, revision, kind), _repository(repo, kind) / "refs" / (revision or "main")):
        try:
            yield path.read_text().strip()
        except OSError:
            continue
    if revision:
        yield revision


def _newest(repo: str, kind: RepoKind) -> list[str]:
    """The commits of which the cache has anything, the last fetched first."""
    snapshots = _repository(repo, kind) / "snapshots"
    commits = sorted(snapshots.iterdir(), key=lambda path: path.stat().st_mtime) if snapshots.is_dir() else []
    return [path.name for path in reversed(commits)]


def _held(repo: str, kind: RepoKind, commit: str, config: str | None) -> bool:
    """Whether what a run needs of a commit is in the cache."""
    if not commit:
        return False
    if kind == "dataset":
        return prepared(repo, commit, config) is not None
    folder = _repository(repo, kind) / "snapshots" / commit
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def _repository(repo: str, kind: RepoKind) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"{kind}s--{repo.replace('/', '--')}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
