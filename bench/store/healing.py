"""A finished cell that is not what was written any more is set aside, so that it is measured again."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from contextlib import closing

from bench.store.claims import Claims
from bench.store.files import on_disk
from bench.store.store import Store
from bench.store.whole import fault
from bench.store.workers import Watch, new_identity

BROKEN = "broken"


def set_aside(store: Store, cells: Collection[str], say: Callable[[str], None]) -> None:
    """Move to broken/ what `store.verify` has found among these cells; `say` is told of each.

    A cell is claimed first, so that its folder is not one that another process is just putting there; what is whole by
    now stays.
    """
    found = {cell_id: wrong for cell_id, wrong in store.broken().items() if cell_id in cells}
    if not found:
        return
    with closing(Claims(store.path, new_identity(), Watch(store.path))) as claims:
        for cell_id in claims.take(found):
            if _move(store, cell_id):
                say(f"cell {cell_id} is measured again: {found[cell_id]}; what was there is in {store.path / BROKEN}")


def _move(store: Store, cell_id: str) -> bool:
    """False where the cell is whole by now, or gone."""
    folder = store.cell_folder(cell_id)
    with on_disk(store.path):
        if not folder.exists() or fault(folder) is None:
            return False
        aside = store.path / BROKEN / f"{cell_id}.{secrets.token_hex(4)}"
        aside.parent.mkdir(exist_ok=True)
        folder.rename(aside)  # a power cut may bring it back: it is then found again
    return True
