"""`bench export`: one finished cell."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from bench.commands.folders import newest_results
from bench.registry import load_plugin
from bench.store.fetched import open_results


def export_cell(cell_id: str, to: Path, folder: Path | None, plugins: Iterable[Path]) -> None:
    """Write a finished cell's adapter in PEFT's format."""
    for path in plugins:
        load_plugin(path)
    store = open_results(folder or newest_results())
    whole_id = store.record(cell_id).id
    from bench.export import export  # torch comes in here

    for path in export(store, whole_id, to):
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)
