"""Files that notice that they are not what was written.

A JSON file's last line is the SHA-256 of all bytes before that line, so that no bit of it can turn unseen, spaces
included; a file that is no JSON has its checksum elsewhere (bench.store.checksums).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.errors import UsageError

KEY = "sha256"
_LINE, _END = f',\n "{KEY}": "'.encode(), b'"\n}\n'


class Spoiled(UsageError):
    """A file of a results folder that is not what was written."""


def sealed(text: str) -> str:
    """The text of a JSON object that has a field, indented by one, with its checksum at its end."""
    head = text.rstrip().removesuffix("\n}")
    return f'{head},\n "{KEY}": "{_digest(head.encode())}"\n}}\n'


def is_sealed(content: bytes, path: Path) -> bool:
    """Whether the content of a file has a checksum; Spoiled where that is another one than it should be."""
    head, line, rest = content.rpartition(_LINE)
    if line and rest != _digest(head).encode() + _END:
        raise Spoiled(f"{path} is not what was written: its checksum is another one")
    return bool(line)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
