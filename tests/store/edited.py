"""Records that somebody has changed, with the checksum that they then should have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.store.seal import KEY, sealed


def edited(text: str, **fields: Any) -> str:
    """The text of a record with other fields."""
    tree = json.loads(text) | fields
    tree.pop(KEY, None)
    return sealed(json.dumps(tree, indent=1))


def edit(path: Path, **fields: Any) -> None:
    """Change fields of the record in a file."""
    path.write_text(edited(path.read_text(), **fields))
