"""Results that lie on the hub, as a folder of this machine. What others measured is data: nothing of it is run.

    CACHE/shared/OWNER--NAME/commits/<commit>/    the results folder: made once, since a commit never changes
    CACHE/shared/OWNER--NAME/revisions/<name>     which commit a revision was when the hub was last asked

Only files that a results folder has, of sizes that they may have, are fetched and stand in it; what else lies in its
folders is named. The hub client keeps what it fetched in its own cache; here are hard links to it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from glob import escape
from pathlib import Path
from urllib.parse import quote

from bench.data.cache import cache_folder
from bench.errors import UsageError
from bench.escaping.unseen import in_a_line
from bench.store.address import Address, is_address
from bench.store.archive import is_archive, unpacked
from bench.store.foreign_files import LEFT_OUT, MOST_LEFT_OUT, TUNED, most_bytes, stranger, too_large
from bench.store.formats import OtherFormat
from bench.store.on_hub import first_line, has_repository, speaking_to_hub
from bench.store.store import Store
from bench.writing import aside_of, link_or_copy, sweep, why_refused, write_where_possible

WANTED = ("store.json", "cells/*/record.json", "cells/*/predictions.parquet", "cells/*/terms.parquet",
          "failed/*.json", "plans/*.json", "suites/*.json", "alone/*.json", "examples/*.parquet",
)  # the same as the hub client has it, less strictly  # fmt: skip


def open_results(place: Path | str, problems: list[str] | None = None) -> Store:
    """The results folder at a path, in an archive, or at an address on the hub: that is fetched, and called by its
    commit.

    Files of an archive and on the hub that are left out are named in `problems`. UsageError where there are no results;
    OtherFormat where another version wrote them.
    """
    if is_address(place):
        asked = Address.parse(place)
        commit = _commit(asked)
        name, folder = str(asked.at(commit)), commits_of(asked) / commit
        if not folder.is_dir():
            _fetch(asked, commit, folder)
    elif is_archive(place):
        name, folder = str(place), unpacked(Path(place))
    else:
        return Store.open(Path(place))
    try:
        path = Store.open(folder).path
    except OtherFormat as error:
        raise OtherFormat(str(error).replace(str(folder), name)) from None
    except UsageError as error:
        raise UsageError(str(error).replace(str(folder), name)) from None
    if problems is not None:
        lines = (folder / LEFT_OUT).read_text(encoding="utf-8").splitlines()
        problems += [f"left out: {name}: {line}" for line in lines]
    return Store(path, name=name)


def commits_of(address: Address) -> Path:
    """Where the commits of a repository are kept that were fetched."""
    return cache_folder() / "shared" / address.folder_name / "commits"


def _commit(asked: Address) -> str:
    """The commit that an address means: as the hub says now, else as it said when it was last asked."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if asked.is_pinned and (commits_of(asked) / str(asked.revision)).is_dir():
        return str(asked.revision)
    note = commits_of(asked).with_name("revisions") / quote(asked.revision or "main", safe="")
    reason = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        try:
            commit = str(HfApi().repo_info(asked.repo, repo_type="dataset", revision=asked.revision, timeout=10).sha)
            write_where_possible(note, commit.encode())  # else the hub is asked again next time
            return commit
        except RevisionNotFoundError:
            raise UsageError(f"{asked}: data set {asked.repo} has no revision {asked.revision!r}") from None
        except RepositoryNotFoundError as error:
            raise UsageError(_not_there(asked, error)) from None
        except HfHubHTTPError as error:  # it answers, but not with what was asked
            reason = first_line(error)
        except Exception as error:  # the HTTP client's own errors; which client it is changes between versions
            reason = first_line(error)
    known = note.read_text(encoding="utf-8") if note.is_file() else ""
    if known and (commits_of(asked) / known).is_dir():
        line = f"warning: {asked} is taken as it was fetched last, at {known} ({reason})"
        print(in_a_line(line), file=sys.stderr)
        return known
    raise UsageError(f"cannot reach the hub for {asked} ({reason}), and it was not fetched before")


def _not_there(asked: Address, error: Exception) -> str:
    if has_repository(asked.repo, "model"):
        return f"{asked} is a model; results are shared in a data set"
    return (
        f"the hub has no data set {asked.repo!r}, or this token may not see it ({first_line(error)}); "
        "`hf auth login` or HF_TOKEN says who you are"
    )


def _fetch(asked: Address, commit: str, folder: Path) -> None:
    """Make the results folder of a commit."""
    with speaking_to_hub(asked, "fetch"):
        from huggingface_hub import HfApi, snapshot_download

        sizes = {
            entry.path: entry.size
            for entry in HfApi().list_repo_tree(asked.repo, recursive=True, revision=commit, repo_type="dataset")
            if hasattr(entry, "size")
        }
        left_out = dict(_left_out(sizes))
        if "store.json" not in sizes or "store.json" in left_out:
            raise UsageError(f"{asked} is no results folder (no store.json in it); `bench push` makes one")
        if len(left_out) > MOST_LEFT_OUT:
            raise UsageError(
                f"{asked} has {len(left_out):,} files that no results folder has: {next(iter(left_out))} …"
            )
        snapshot = snapshot_download(
            asked.repo,
            repo_type="dataset",
            revision=commit,
            allow_patterns=list(WANTED),
            ignore_patterns=[escape(name) for name in left_out],
        )
    kept = [name for name in sizes if name not in left_out and most_bytes(name) is not None]
    try:
        _lay_out(Path(snapshot), kept, left_out, folder)
    except OSError as error:
        raise UsageError(
            f"cannot keep {asked} in {folder.parent}: {why_refused(error)}; TUNING_BENCH_CACHE says where else"
        ) from None


def _left_out(sizes: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Files in the folders of results that are none of them, or too large, each with a line about it."""
    folders = {name.split("/")[0] for name in WANTED if "/" in name}
    for name, size in sizes.items():
        if line := too_large(name, size):
            yield name, line
        elif most_bytes(name) is None and name.split("/")[0] in folders and not TUNED.fullmatch(name):
            yield name, stranger(name)


def _lay_out(snapshot: Path, names: list[str], left_out: Mapping[str, str], folder: Path) -> None:
    """Put files of the hub client's cache into a results folder, whole or not at all.

    Plans are copied, in the order of their names: of two choices by the same trials the later file's counts.
    """
    sweep(folder)
    aside = aside_of(folder)
    lines = dict(left_out)
    try:
        for number, name in enumerate(sorted(names)):
            source, target = (snapshot / name).resolve(), aside / name
            limit = most_bytes(name)
            if limit is None or source.stat().st_size > limit:  # not as large as the hub had said
                lines[name] = f"{name} is too large"
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.startswith("plans/"):
                shutil.copyfile(source, target)
                os.utime(target, (number, number))
            else:
                link_or_copy(source, target)
        (aside / LEFT_OUT).write_text("".join(f"{line}\n" for line in lines.values()), encoding="utf-8")
        if not folder.is_dir():  # another process may have been faster
            aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
