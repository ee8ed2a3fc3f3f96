"""Results folders as reviewers may see them who must not know whose they are: copies in which every name that somebody
gave of his own is a number.

What `bench.share.cleaned` takes out is out. Beside it go the names of results folders, of models that are no hub's, of
suites and tasks that do not come with the harness, the owners of the hub's models, times of day, commands, commits,
tracebacks and what an error said but for its kind, and everything by which a cell could be found again where the
results have been published: ids and the fingerprints of data and weights. A method's name and its settings stay, being
what is reviewed; so do devices and the versions of packages, without a suffix of a build.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.errors import UsageError
from bench.registry import is_built_in, suites
from bench.report.read.folders import Reading, read_stores
from bench.share.cleaned import HIDDEN, cleaned_tree, last_part
from bench.share.union import put_record
from bench.store.address import COMMIT
from bench.store.alone import Alone, alone_key, keep_alone, kept_alone
from bench.store.checksums import check_file
from bench.store.declarations import keep_suite, kept_suites
from bench.store.fetched import open_results
from bench.store.predictions import PREDICTIONS
from bench.store.record import Record
from bench.store.store import Store, Writer
from bench.store.terms import TERMS
from bench.task import Suite
from bench.writing import scratch

KEPT = (  # of a record's provenance: what numbers depend on, and nobody can be known by
    "packages", "python", "device", "layers", "devices", "micro_batches", "token_budget", "halvings", "deterministic",
    "compiled", "processes", "workers", "peak_tflops", "proof",
)  # fmt: skip
_KIND = re.compile(r"[A-Za-z_]\w*(?=:)")


@dataclass
class Numbers:
    """Names in the place of others: the same for the same, in the order in which they are asked for."""

    noun: str
    known: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        return self.known.setdefault(name, f"{self.noun} {len(self.known) + 1}")


class Aliases:
    """What everything is called in the copies of some folders."""

    def __init__(self, suites_here: Mapping[str, Suite]) -> None:
        self.suites, self.tasks, self.models = Numbers("suite"), Numbers("task"), Numbers("model")
        self.data, self.weights, self.places = Numbers("data"), Numbers("weights"), Numbers("place")
        self.public = {Path(model).name for name, suite in suites_here.items() if is_built_in(name)
                       for model in suite.models}  # fmt: skip

    def suite(self, name: str) -> str:
        return name if is_built_in(name) else self.suites.of(name)

    def task(self, suite: str, name: str) -> str:
        return name if is_built_in(suite) else self.tasks.of(name)

    def values(self, tree: Any) -> Any:
        """JSON of whatever it is, a text with a place in it as that place's number: other places stay others."""
        if isinstance(tree, dict):
            return {name: self.values(value) for name, value in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.values(value) for value in tree]
        return self.places.of(tree) if isinstance(tree, str) and cleaned_tree(tree) != tree else tree

    def model(self, cell: Cell) -> str:
        _, _, commit = cell.model_path.rpartition("@")
        is_public = COMMIT.fullmatch(commit) is not None or cell.model in self.public
        return last_part(cell.model).rpartition("/")[2] if is_public else self.models.of(cell.model)


def anonymised(stores: Sequence[Store], to: Path, problems: list[str]) -> list[Store]:
    """Copies of results folders below `to`, by the names of their numbers; `problems` say what is in none of them.

    Predictions go along, for a report's intervals; texts and tensors do not.
    """
    declared: dict[str, Suite] = dict(suites())
    for store in stores:
        declared = kept_suites(store.path)[0] | declared
    aliases = Aliases(declared)
    copies = []
    for number, store in enumerate(stores, 1):
        name = "results" if len(stores) == 1 else f"results {number}"
        copy = Store(Store.create(to / name).path, name=name)
        _fill(copy, store, declared, aliases, partial(_left_out, problems, name))
        copies.append(copy)
    return copies


@contextmanager
def read_anonymously(paths: Sequence[Path]) -> Iterator[Reading]:
    """Within the block what copies of these results folders hold; see `read_folders`."""
    problems: list[str] = []
    stores = [open_results(path, problems) for path in paths]
    problems[:] = ["left out: files of results that cannot be read"] if problems else []
    with scratch("bench-report-") as folder:
        yield read_stores(anonymised(stores, folder, problems), problems)


def _left_out(problems: list[str], name: str, error: UsageError) -> None:
    """What cannot be read, without its name and its content."""
    problems.append(f"left out: a file of {name} that cannot be read ({type(error).__name__})")


def _fill(copy: Store, store: Store, declared: Mapping[str, Suite], aliases: Aliases, broken: Any) -> None:
    planned, records = store.planned(broken), store.records(broken)
    cells = {cell.id: cell for cell in (*planned, *(record.cell for record in records))}
    ids: dict[str, str] = {}
    for cell in sorted(cells.values(), key=lambda cell: bool(cell.tried)):  # trials first: others name them
        ids[cell.id] = _cell(cell, aliases, ids).id
    copy.write_plan(_cell(cell, aliases, ids) for cell in planned)
    for record in records:
        files: dict[str, Writer] = {}
        for path in (store.cell_folder(record.id) / name for name in (PREDICTIONS, TERMS)):
            if record.status == "done" and path.is_file() and not path.is_symlink():
                files[path.name] = partial(shutil.copyfile, path)
        try:
            for name in files:
                check_file(store.cell_folder(record.id) / name)
        except UsageError as error:
            broken(error)
            continue
        put_record(copy, _record(record, aliases, ids), files)
    for name in sorted({cell.suite for cell in cells.values()}):
        if not is_built_in(name) and name in declared:
            keep_suite(copy.path, _suite(declared[name], aliases))
    for measured in _alone(store, cells.values(), aliases, ids, broken):
        keep_alone(copy.path, measured)


def _cell(cell: Cell, aliases: Aliases, ids: Mapping[str, str]) -> Cell:
    joint = [
        part.model_copy(
            update={
                "task": aliases.task(cell.suite, part.task),
                "data_fingerprint": aliases.data.of(part.data_fingerprint),
            }
        )
        for part in cell.joint
    ]
    return cell.changed(
        suite=aliases.suite(cell.suite),
        task=aliases.task(cell.suite, cell.task),
        data_fingerprint=aliases.data.of(cell.data_fingerprint),
        model=aliases.model(cell),
        model_fingerprint=aliases.weights.of(cell.model_fingerprint),
        settings=aliases.values(cell.settings),
        given=aliases.values(cell.given),
        drawn=aliases.values(cell.drawn),
        tried=tuple(ids.get(trial, HIDDEN) for trial in cell.tried),
        joint=tuple(joint),
        model_path="",
        data_path=None,
        data_revision=None,
    )


def _record(record: Record, aliases: Aliases, ids: Mapping[str, str]) -> Record:
    cell = _cell(record.cell, aliases, ids)
    kind = _KIND.match(record.reason or "")
    changes = {
        "id": cell.id,
        "cell": cell,
        "reason": record.reason and (kind[0] if kind else record.status),
        "traceback": None,
        "found": aliases.values(record.found),
        "provenance": _provenance(record.provenance),
        "files": {},
        "started": "",
        "finished": "",
    }
    return Record.model_validate(record.model_copy(update=changes).model_dump())


def _provenance(said: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: cleaned_tree(said[name]) for name in KEPT if name in said}
    if isinstance(said.get("packages"), dict):  # "2.8.0+cu128" is "2.8.0"
        kept["packages"] = {name: value and str(value).partition("+")[0] for name, value in said["packages"].items()}
    return kept


def _suite(suite: Suite, aliases: Aliases) -> Suite:
    """Its declaration, of which a report reads how tasks are scored."""
    tasks = [
        task.model_copy(update={"name": aliases.task(suite.name, task.name), "licence": "", "citation": ""})
        for task in suite.tasks
    ]
    average = tuple(aliases.task(suite.name, name) for name in suite.average)
    return suite.model_copy(update={"name": aliases.suite(suite.name), "tasks": tuple(tasks), "average": average})


def _alone(
    store: Store, cells: Iterable[Cell], aliases: Aliases, ids: Mapping[str, str], broken: Any
) -> Iterable[Alone]:
    kept, problems = kept_alone(store.path)
    for problem in problems:
        broken(problem)
    keys = {alone_key(cell): alone_key(_cell(cell, aliases, ids)) for cell in cells} if kept else {}
    return [
        measured.model_copy(update={"key": keys[key], "measured": ""}) for key, measured in kept.items() if key in keys
    ]
