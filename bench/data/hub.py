"""Which commit of a hub repository is meant, online or from the local cache. No torch here: the plan asks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from bench.errors import UsageError


@cache
def resolve(repo: str, revision: str | None, kind: Literal["model", "dataset"], offline_hint: str) -> str:
    """The full commit hash of `repo` at `revision` (default: main).

    Asks the hub; when it cannot be reached, takes what the cache last saw. UsageError when neither knows it.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    reason = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        try:
            found = HfApi().repo_info(repo, repo_type=kind, revision=revision, timeout=10).sha
            if found:
                return str(found)
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise UsageError(f"the hub has no {kind} {repo!r} at {revision or 'main'}: {_first_line(error)}") from None
        except (HfHubHTTPError, OSError) as error:
            reason = _first_line(error)
        except Exception as error:  # the HTTP client's own errors; which client it is changes between versions
            reason = _first_line(error)
    folder = Path(constants.HF_HUB_CACHE) / f"{kind}s--{repo.replace('/', '--')}"
    cached = folder / "refs" / (revision or "main")
    if cached.is_file():
        return cached.read_text().strip()
    if revision and (folder / "snapshots" / revision).is_dir():
        return revision
    raise UsageError(f"cannot reach the hub for {kind} {repo!r} ({reason}), and it is not in the cache. {offline_hint}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
