"""Which commit of a hub repository is meant, online or from the local cache. No torch here: the plan asks.

Everything is fetched by commit, so the hub client's own notes (`refs/main`) are never written: which commit a revision
was, when the hub was last asked, is kept beside the tokens (see bench.data.cache). A commit that is in the cache is
asked for by nobody, but for one request of a process, which tells whether the hub can be reached.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from bench.data.cache import cache_folder
from bench.errors import UsageError
from bench.writing import write_where_possible

RepoKind = Literal["model", "dataset"]
COMMIT = re.compile("[0-9a-f]{40}")
CONVERTED = "refs/convert/"  # branches on which the hub keeps its own conversions of a data set
SET = "HF_HUB_OFFLINE is set"
_offline: list[str] = []  # why nothing asks the hub any more
_answered: list[str] = []  # what it was asked for first, since when it is known to be there
_files: dict[tuple[RepoKind, str, str], frozenset[str]] = {}  # of commits that were asked for


@cache
def resolve(repo: str, revision: str | None, kind: RepoKind, offline_hint: str, config: str | None = None) -> str:
    """The full commit hash of `repo` at `revision` (default: main).

    Asks the hub, unless the revision is a commit that the cache holds. When it cannot be reached, which is tried once
    in a process, takes what the cache holds (of a data set: of this `config`): the commit the revision last was, of
    main else the newest. UsageError when neither knows it.
    """
    folder = data_folder(config, revision)
    if revision and COMMIT.fullmatch(revision) and _held(repo, kind, revision, config, folder):
        if not _answered:
            with suppress(UsageError):  # it is here, whatever the hub says of it now
                _asked(repo, revision, kind)
        return revision
    commit, reason = _asked(repo, revision, kind)
    if commit:
        return commit
    for commit in _known(repo, revision, kind):
        if _held(repo, kind, commit, config, folder):
            return commit
    held = [commit for commit in _newest(repo, kind) if _held(repo, kind, commit, config, folder)]
    if held and revision in (None, "main"):
        warnings.warn(f"{kind} {repo} is taken at {held[0]}, the newest in the cache", stacklevel=2)
        return held[0]
    source = f"{kind} {repo!r}{f' ({config})' if config else ''}{f' at {revision}' if revision else ''}"
    others = f" The cache has it at {', '.join(held)}." if held else ""
    raise UsageError(
        f"cannot reach the hub for {source} ({reason}), and it is not in the cache.{others} {offline_hint}"
    )


def listed_files(repo: str, kind: RepoKind, commit: str) -> frozenset[str] | None:
    """The files of a commit, where the hub was asked for it in this process; None else."""
    return _files.get((kind, repo, commit))


def data_folder(config: str | None, revision: str | None) -> str | None:
    """The folder that a configuration is on the branch of the hub's own conversions; None elsewhere."""
    return config if config and (revision or "").startswith(CONVERTED) else None


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


def reason_of(error: BaseException, repo: str, kind: RepoKind) -> str:
    """Why the hub did not give something, in one line, with what to do where that is known."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repo}"
    for each in _causes(error):
        status = getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(each, GatedRepoError):
            return f"it is gated: accept its terms at {page}, then run hf auth login, or set HF_TOKEN"
        if isinstance(each, RevisionNotFoundError):
            return f"it has no such revision; {page}/tree/main lists its branches and tags"
        if isinstance(each, RepositoryNotFoundError):
            return "there is none of that name, or it is private: run hf auth login, or set HF_TOKEN, if it is yours"
        if status in (401, 403):
            return f"access is denied ({status}); run hf auth login, or set HF_TOKEN to one that may read it"
        if status == 429:
            return "the hub has had too many requests (429); wait some minutes, or set HF_TOKEN"
        if status is not None:
            return f"the hub answers {status}; try again later"
    return _in_one_line(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was raised for."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__ or error


def _asked(repo: str, revision: str | None, kind: RepoKind) -> tuple[str | None, str]:
    """The commit that the hub says a revision is; None and the reason where it does not say. UsageError when it says
    that there is none.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if constants.HF_HUB_OFFLINE:
        return None, _offline[0] if _offline else SET
    _answered.append(repo)
    try:
        found = HfApi().repo_info(repo, repo_type=kind, revision=revision, timeout=10)
        if found.sha:
            _files[kind, repo, found.sha] = frozenset(each.rfilename for each in getattr(found, "siblings", None) or ())
            _note(repo, revision, kind, found.sha)
            return str(found.sha), ""
        return None, "it names no commit"
    except GatedRepoError as error:  # which is a RepositoryNotFoundError to its library
        return None, reason_of(error, repo, kind)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        reason = reason_of(error, repo, kind)
        raise UsageError(f"the hub has no {kind} {repo!r} at {revision or 'main'}: {reason}") from None
    except HfHubHTTPError as error:  # it answers, but not with what was asked
        reason = reason_of(error, repo, kind)
        if error.response is None or error.response.status_code not in (401, 403):
            _stay_offline(reason)
        return None, reason
    except Exception as error:  # the HTTP client's own errors; which client it is changes between versions
        reason = _in_one_line(error)
        _stay_offline(reason)
        return None, reason


def _plain(name: str) -> str:
    """A name as `datasets` has it in its cache: BoolQ is bool_q there."""
    return name.replace("_", "").casefold()


def _stay_offline(reason: str) -> None:
    """From here on nothing asks the network again, in processes begun from this one either: every file that is looked
    for would be tried five times.
    """
    from huggingface_hub import constants

    warnings.warn(f"the hub cannot be reached ({reason}); all is taken from the cache from here on", stacklevel=4)
    _offline[:] = [reason]
    constants.HF_HUB_OFFLINE = True
    os.environ["HF_HUB_OFFLINE"] = "1"
    if "datasets" in sys.modules:  # it has a copy
        sys.modules["datasets"].config.HF_HUB_OFFLINE = True


def _note_of(repo: str, revision: str | None, kind: RepoKind) -> Path:
    name = quote(revision or "main", safe="")  # a branch may have slashes in its name
    return cache_folder() / "hub" / f"{kind}s--{repo.replace('/', '--')}" / name


def _note(repo: str, revision: str | None, kind: RepoKind, commit: str) -> None:
    """Keep which commit a revision is; where nothing can be written, the newest in the cache will have to do."""
    write_where_possible(_note_of(repo, revision, kind), commit.encode())


def _known(repo: str, revision: str | None, kind: RepoKind) -> Iterator[str]:
    """The commits that a revision was, for all this machine knows: as we saw it, as the hub client did."""
    for path in (_note_of(repo, revision, kind), _repository(repo, kind) / "refs" / (revision or "main")):
        try:
            noted = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            continue
        if COMMIT.fullmatch(noted):
            yield noted


def _newest(repo: str, kind: RepoKind) -> list[str]:
    """The commits of which the cache has anything, the last fetched first."""
    snapshots = _repository(repo, kind) / "snapshots"
    commits = sorted(snapshots.iterdir(), key=lambda path: path.stat().st_mtime) if snapshots.is_dir() else []
    return [path.name for path in reversed(commits)]


def _held(repo: str, kind: RepoKind, commit: str, config: str | None, folder: str | None) -> bool:
    """Whether what a run needs of a commit is in the cache."""
    if not commit:
        return False
    snapshot = _repository(repo, kind) / "snapshots" / commit
    if folder:
        return any((snapshot / folder).glob("*/*.parquet"))
    if kind == "dataset":
        return prepared(repo, commit, config) is not None
    return (snapshot / "config.json").is_file() and any(snapshot.glob("*.safetensors"))


def _repository(repo: str, kind: RepoKind) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"{kind}s--{repo.replace('/', '--')}"


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
