"""What lies on the hub and a folder of this machine, as one results folder: nothing that is there is replaced."""

from __future__ import annotations

import json
import shutil
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from bench.cell import Cell
from bench.errors import UsageError
from bench.registry import suites
from bench.share.cleaned import cleaned_cell, cleaned_record, cleaned_tree
from bench.share.textless import textless
from bench.store.alone import keep_alone, kept_alone
from bench.store.checksums import check_file, digest
from bench.store.declarations import keep_suite, kept_suites
from bench.store.examples import examples_key
from bench.store.formats import FORMAT, MARK, format_of
from bench.store.predictions import PREDICTIONS
from bench.store.reading import record_text
from bench.store.record import Record
from bench.store.seal import Spoiled
from bench.store.store import Store, Writer
from bench.store.terms import TERMS
from bench.task import Suite, Task
from bench.writing import link_or_copy, write_text

PARTS = ("cells", "failed", "plans", "suites", "examples", "alone")


@dataclass(frozen=True)
class Extras:
    """What goes along only when somebody asks for it: predictions with texts, the scored examples, trained tensors; or
    less than usual, of predictions nothing but what metrics count.
    """

    predictions: bool = False
    examples: bool = False
    tuned: bool = False
    terms: bool = False


@dataclass
class Union:
    """The joined folder. `added` are the ids of finished cells that were not there; of these `with_terms` went with
    what metrics count of their predictions, `without_predictions` without even that. `conflicts` say where the two
    differ, and `left_out` what cannot go, in lines for a user.
    """

    store: Store
    there: Store | None
    added: list[str] = field(default_factory=list)
    with_terms: list[str] = field(default_factory=list)
    without_predictions: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def files(self) -> dict[str, Path]:
        """All of it, by name; the order of names."""
        found = sorted(path for part in PARTS for path in (self.store.path / part).rglob("*") if path.is_file())
        return {MARK: self.store.path / MARK} | {path.relative_to(self.store.path).as_posix(): path for path in found}

    def new_files(self) -> dict[str, Path]:
        """What is not there yet."""
        files, there = self.files(), self.there
        if there is None:
            return files
        is_old = format_of(there.path) != FORMAT
        return {
            name: path
            for name, path in files.items()
            if (is_old if name == MARK else not (there.path / name).is_file())
        }

    def old_files(self) -> list[str]:
        """What the joined folder does not have any more: plans that are part of a larger one, failures mended since."""
        if self.there is None:
            return []
        of_there = [path for part in ("plans", "failed") for path in (self.there.path / part).glob("*.json")]
        names = sorted(path.relative_to(self.there.path).as_posix() for path in of_there)
        return [name for name in names if not (self.store.path / name).is_file()]


def joined(here: Store, there: Store | None, to: Path, extras: Extras, name: str) -> Union:
    """Make the joined folder at `to`; it is called `name` in reports. Links among the files of `here` do not go."""
    union = Union(Store(Store.create(to).path, name=name), there)
    if there is not None:
        for part in PARTS:
            if (there.path / part).is_dir():
                shutil.copytree(there.path / part, to / part, copy_function=link_or_copy)
    kept = _join_plans(union, here)
    declared = _join_suites(union, here)
    _join_alone(union, here)
    for record in here.records(lambda error: union.left_out.append(str(error))):
        choice = record.cell.choice
        if record.cell.tried and kept.get(choice, record.id) != record.id:
            continue  # other settings were chosen since, or there: the plan said so
        try:
            _add(union, here, cleaned_record(record), declared, extras)
        except Spoiled as error:
            union.left_out.append(f"cell {record.id}: {error}")
        except UsageError as error:
            union.left_out.append(str(error))
    return union


def _join_plans(union: Union, here: Store) -> dict[Hashable, str]:
    """One plan in the place of all; by choice the id of the cell that stands in it."""

    def key(cell: Cell) -> Hashable:
        return cell.choice if cell.tried else (cell.id, cell.suite)

    cells = {key(cell): cell for cell in (union.there.planned(_ignored) if union.there else ())}
    for planned in here.planned(lambda error: union.left_out.append(str(error))):
        try:
            cell = cleaned_cell(planned)
        except UsageError as error:
            union.left_out.append(str(error))
            continue
        first = cells.get(key(cell))
        if first is None or (cell.drawn and not first.drawn):
            cells[key(cell)] = cell
        elif cell.drawn and cell.id != first.id:
            union.conflicts.append(
                f"{cell.suite} · {cell.task} · {cell.model} · {cell.label} · {cell.seed_label}: trials came to other "
                f"settings there ({first.id}) than here ({cell.id}); those there stay"
            )
    if cells:
        shutil.rmtree(union.store.path / "plans", ignore_errors=True)
        union.store.write_plan(cells.values())
    return {cell.choice: cell.id for cell in cells.values() if cell.drawn and cell.tried}


def _ignored(_: UsageError) -> None: ...


def _join_suites(union: Union, here: Store) -> dict[str, Suite]:
    """How the suites are declared, of this installation too."""
    there, _ = kept_suites(union.store.path)
    kept, broken = kept_suites(here.path)
    union.left_out += map(str, broken)
    for name, suite in kept.items():
        cleaned = Suite.model_validate_json(json.dumps(cleaned_tree(suite.model_dump(mode="json"))))
        if name not in there:
            keep_suite(union.store.path, cleaned)
        elif there[name] != cleaned:
            union.conflicts.append(f"suite {name} is declared otherwise there; that one stays")
    return kept | there | dict(suites())


def _join_alone(union: Union, here: Store) -> None:
    """What lines cost alone; of a line that was measured there too that one stays."""
    there, _ = kept_alone(union.store.path)
    kept, broken = kept_alone(here.path)
    union.left_out += map(str, broken)
    for key, measured in kept.items():
        if key not in there:
            keep_alone(union.store.path, measured)


def _add(union: Union, here: Store, record: Record, declared: dict[str, Suite], extras: Extras) -> None:
    """Put a record into the joined folder, unless one of its cell is finished there."""
    if union.store.is_done(record.id):
        if record.status == "done":
            _compare(union, record)
            _add_examples(union, here, record, extras)
        return
    if record.status != "done":
        if union.store.failure(record.id) is None:
            union.store.write(record)
        return
    files = _files(here, record, _task(declared, record.cell), extras)
    put_record(union.store, record, files)
    union.added.append(record.id)
    if record.cell.stage == "score" and PREDICTIONS not in files:
        (union.with_terms if TERMS in files else union.without_predictions).append(record.id)
    _add_examples(union, here, record, extras)


def put_record(store: Store, record: Record, files: dict[str, Writer]) -> None:
    """Put a record with its files into a folder that nobody else writes to: as `Store.write` does it where others do,
    but for the time that takes, which is none of the cell's.
    """
    folder = store.cell_folder(record.id)
    folder.mkdir(parents=True)
    for name, writer in files.items():
        writer(folder / name)
    record.files = {name: digest(folder / name) for name in files}
    write_text(folder / "record.json", record_text(record), durable=False)
    (store.path / "failed" / f"{record.id}.json").unlink(missing_ok=True)


def _compare(union: Union, record: Record) -> None:
    there = union.store.record(record.id)
    if (there.scores, there.selection_score) != (record.scores, record.selection_score):
        metric = record.main_metric
        said = [f"{each.scores.get(metric, each.selection_score)}" for each in (there, record)]
        union.conflicts.append(f"cell {record.id}: {metric} is {said[0]} there and {said[1]} here; that there stays")


def _files(here: Store, record: Record, task: Task | None, extras: Extras) -> dict[str, Writer]:
    """Writers of a record's files, of those that go. UsageError where one is not what was written."""
    folder = here.cell_folder(record.id)
    wanted = {
        PREDICTIONS: extras.predictions or extras.examples,
        "tuned.safetensors": extras.tuned,
        TERMS: True,  # of somebody who pushes what was pushed
    }
    files = {name: _copier(folder / name) for name, asked in wanted.items() if asked and _is_own(folder / name)}
    for name in files:
        check_file(folder / name)
    if not wanted[PREDICTIONS] and _is_own(folder / PREDICTIONS):
        check_file(folder / PREDICTIONS)
        files |= textless(folder / PREDICTIONS, task, extras.terms)
    return files


def _add_examples(union: Union, here: Store, record: Record, extras: Extras) -> None:
    key = examples_key(record.cell)
    texts = here.examples_file(key) if extras.examples else None
    if texts is not None and _is_own(texts):
        union.store.write_examples(key, _copier(texts))


def _is_own(path: Path) -> bool:
    """Whether a file lies where it seems to: a link would send whatever it leads to."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


def _copier(source: Path) -> Writer:
    def copy(to: Path) -> None:
        shutil.copyfile(source, to)

    return copy


def _task(declared: dict[str, Suite], cell: Cell) -> Task | None:
    suite = declared.get(cell.suite)
    return next((task for task in suite.tasks if task.name == cell.task), None) if suite else None
