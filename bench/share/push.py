"""`bench push`: a results folder goes to the hub, or into an archive, joined to what lies there, in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.report.files import DEFAULT, report_of, write
from bench.report.read.folders import read_stores
from bench.share.card import card, pictures, table
from bench.share.union import Extras, Union, joined
from bench.store.address import Address
from bench.store.archive import write_archive
from bench.store.fetched import open_results
from bench.store.on_hub import speaking_to_hub
from bench.store.store import Store
from bench.writing import Overtaken, mark, scratch, telling

FORMATS = ("md", "csv", "png", "html")
NOT_RESULTS = {"README.md", ".gitattributes", ".gitignore", "LICENSE"}  # what a new repository may have
TRIES = 3  # where others push at the same time
MOST_OVERTAKEN = 20  # times that others may pack into an archive while it is packed


@dataclass(frozen=True)
class There:
    """What the hub has: its commit, its results, its page; nothing of a repository that is not there yet."""

    commit: str | None = None
    results: Store | None = None
    page: str = ""


@dataclass(frozen=True)
class Pushed:
    """What went, or with a dry run would go: sizes in bytes by name, what is removed, and the joined folder.

    `address` has the commit where there is a new one; of an archive it is the path.
    """

    address: Address | Path
    sizes: Mapping[str, int]
    removed: tuple[str, ...]
    union: Union
    note: str = ""  # why the hub was not asked


def push(here: Store, to: Address, extras: Extras, private: bool = False, dry_run: bool = False) -> Pushed:
    """Send a results folder to a data set of the hub, which is made where it is not there, `private` or public.

    Finished records that are there stay as they are, and the rest is added; the page, the table and the report are
    made anew of all. UsageError where the hub refuses, where the repository holds other things, and where it is public
    and was asked to be private.
    """
    if to.revision is not None:
        raise UsageError(f"--to {to}: results are pushed to the newest state; leave out @{to.revision}")
    for attempt in range(TRIES):
        with scratch("bench-push-") as folder:
            there, note = _look(to, private, dry_run)
            union = joined(here, there.results, folder / "joined", extras, str(to))
            files, removed = union.new_files(), union.old_files()
            if files or removed:
                files |= _derived(to, union, there.page)
            sizes = {name: path.stat().st_size for name, path in files.items()}
            pushed = Pushed(to, sizes, tuple(removed), union, note)
            if dry_run or not files:
                return pushed
            commit = _send(to, files, removed, there, private, attempt + 1 < TRIES)
            if commit is not None:
                return Pushed(to.at(commit), sizes, tuple(removed), union)
    raise AssertionError("the last try has an answer")


def pack(here: Store, to: Path, extras: Extras, dry_run: bool = False) -> Pushed:
    """The same into an archive, which is made where it is not there: its results alone, since a report is made of it
    in seconds. What others pack into it meanwhile is joined too. UsageError where `to` is a file that is none, and
    where others are always faster.
    """
    for _ in range(MOST_OVERTAKEN):
        before = mark(to)
        there = open_results(to) if before else None
        with scratch("bench-push-") as folder, suppress(Overtaken):
            union = joined(here, there, folder / "joined", extras, str(to))
            sizes = {name: path.stat().st_size for name, path in union.new_files().items()}
            removed = union.old_files()
            if (sizes or removed) and not dry_run:
                with telling("write", to, "what stood there is as it was: free space, or choose another --to"):
                    write_archive(union.store.path, list(union.files()), to, before)
            return Pushed(to, sizes, tuple(removed), union)
    raise UsageError(f"cannot write {to}: others have written it {MOST_OVERTAKEN} times meanwhile; try again later")


def _look(to: Address, private: bool, dry_run: bool) -> tuple[There, str]:
    """What is there, and of a dry run why the hub could not say it."""
    from huggingface_hub import HfApi, constants, get_token, hf_hub_download
    from huggingface_hub.errors import RepositoryNotFoundError

    if dry_run and constants.HF_HUB_OFFLINE:
        return There(), "HF_HUB_OFFLINE is set: all is listed as if nothing were there"
    if not dry_run and not constants.HF_HUB_OFFLINE and get_token() is None:  # before anything is made
        raise UsageError(f"cannot push to {to}: the hub must know who you are; `hf auth login`, or HF_TOKEN")
    with speaking_to_hub(to, "push to"):
        try:
            info = HfApi().dataset_info(to.repo, timeout=10)
        except RepositoryNotFoundError:
            return There(), ""
        if private and not info.private:
            raise UsageError(f"{to} is there and public; --private makes new repositories private, not that one")
        names = {sibling.rfilename for sibling in info.siblings or ()}
        if "store.json" not in names and names - NOT_RESULTS:
            raise UsageError(f"{to} has other things in it, such as {min(names - NOT_RESULTS)}; choose another name")
        results = open_results(str(to.at(str(info.sha)))) if "store.json" in names else None
        page = ""
        if "README.md" in names:
            path = hf_hub_download(to.repo, "README.md", repo_type="dataset", revision=info.sha)
            page = Path(path).read_text(encoding="utf-8")
        return There(str(info.sha), results, page), ""


def _derived(to: Address, union: Union, page: str) -> dict[str, Path]:
    """The report, the table and the page of the joined folder, written into it."""
    report = report_of(read_stores([union.store], []))
    folder = union.store.path
    has_texts = any(folder.glob("examples/*.parquet"))
    write(report, FORMATS, to=folder / "report", samples=DEFAULT.samples if has_texts else 0)
    (folder / "table.csv").write_text(table(report), encoding="utf-8")
    shown = card(to, report, union, pictures(folder / "report"), page)
    (folder / "README.md").write_text(shown, encoding="utf-8")
    paths = [*sorted((folder / "report").iterdir()), folder / "table.csv", folder / "README.md"]
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _send(
    to: Address, files: Mapping[str, Path], removed: list[str], there: There, private: bool, again: bool
) -> str | None:
    """Commit; the commit's hash, None where somebody else was faster and there is another try."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(name, path) for name, path in files.items()),
        *(CommitOperationDelete(name, is_folder=False) for name in removed),
    ]
    cells = sum(name.endswith("/record.json") for name in files)
    with speaking_to_hub(to, "push to"):
        if there.commit is None:
            api.create_repo(to.repo, repo_type="dataset", private=private, exist_ok=True)
        try:
            return str(
                api.create_commit(
                    to.repo,
                    operations,
                    repo_type="dataset",
                    commit_message=f"bench push: {cells} cell{'s' * (cells != 1)}",
                    parent_commit=there.commit,
                ).oid
            )
        except HfHubHTTPError as error:
            if error.response.status_code == 412 and again:
                return None
            raise
