"""`bench export`: one finished cell."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.commands.folders import store_of
from bench.escaping.terminal import Screen
from bench.model.trust import trusting
from bench.registry import load_plugin
from bench.store.declarations import declare_kept


def export_cell(
    cell_id: str,
    to: Path,
    folder: Path | None,
    plugins: Iterable[Path],
    model: str | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Write a finished cell for others to load: as an adapter of PEFT's, or as what its method has changed.
    `model` is where its model lies now, if not where it lay.
    """
    for path in plugins:
        load_plugin(path)
    store = store_of(cell_id, folder)
    record = store.record(cell_id)
    declare_kept(store.path, record.cell.suite)
    from bench.export import export  # torch comes in here

    with trusting(trust_remote_code):
        paths = export(store, record.id, to, model)
    for path in paths:
        Screen().print(f"wrote {path}", highlight=False, soft_wrap=True)
