"""Where results are, when nobody says which."""

from __future__ import annotations

from pathlib import Path

from bench.errors import UsageError
from bench.store.fetched import open_results
from bench.store.store import Store

RESULTS = Path("results")
SHOWN = 5  # of what is ambiguous


def newest_results() -> Path:
    """The results folder under results/ that was written to last; UsageError when there is none."""
    return results_folders()[-1]


def results_folders() -> list[Path]:
    """The results folders under results/, the one that was written to last at the end; UsageError when there is none.

    Of any version: opening one tells whether it can be read.
    """
    marks = sorted(RESULTS.glob("*/store.json"), key=lambda mark: _written(mark.parent))
    if not marks:
        raise UsageError("no results folder under results/; make one with `bench run`, or name one")
    return [mark.parent for mark in marks]


def store_of(cell_id: str, folder: Path | None) -> Store:
    """The results folder with the one cell whose id begins so: this folder, or else of all under results/.

    Of folders that have the same cell it is one that finished it, if possible with its tensors, the newest of these.
    UsageError where no cell has such an id, or several have.
    """
    if folder is not None:
        store = open_results(folder)
        store.record(cell_id)
        return store
    folders = results_folders()
    found: dict[str, list[Store]] = {}
    for store in _readable(folders):
        for name in store.ids(cell_id):
            found.setdefault(name, []).append(store)
    if not found:
        where = f"{folders[0]}" if len(folders) == 1 else f"the {len(folders)} results folders under {RESULTS}/"
        raise UsageError(f"no cell in {where} has an id starting with {cell_id!r}; --in FOLDER looks elsewhere")
    if len(found) > 1:
        shown = [f"{name} in {stores[-1].path}" for name, stores in sorted(found.items())[:SHOWN]]
        more = ", …" if len(found) > SHOWN else ""
        raise UsageError(f"{len(found)} cells have an id starting with {cell_id!r}: {', '.join(shown)}{more}")
    ((name, stores),) = found.items()
    return max(enumerate(stores), key=lambda numbered: (*_holds(numbered[1], name), numbered[0]))[1]


def _readable(folders: list[Path]) -> list[Store]:
    """Without those of another version."""
    stores = []
    for folder in folders:
        try:
            stores.append(Store.open(folder))
        except UsageError:
            continue
    return stores


def _holds(store: Store, cell_id: str) -> tuple[bool, bool]:
    """Whether a store has finished a cell, and whether it has its tensors."""
    return store.is_done(cell_id), (store.cell_folder(cell_id) / "tuned.safetensors").is_file()


def _written(folder: Path) -> float:
    parts = [folder, folder / "cells", folder / "plans"]
    return max(path.stat().st_mtime for path in parts if path.exists())
