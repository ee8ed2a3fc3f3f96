"""A disk that may lose its power: what a program asked of it, and what can be left of that.

The calls are those that the program really makes, of `os` and so of pathlib and shutil; which files were made and
written in between is seen by looking. After a power cut, by POSIX, nothing is sure but what `fsync` has confirmed: the
bytes of a file when it was called for the file, the names in a folder when it was called for the folder. Everything
else may be there or not: of a file's bytes, of each folder's changes a beginning in their order. A rename is one
change, also between two folders.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CALLS = ("mkdir", "rename", "replace", "unlink", "rmdir", "link")


@dataclass
class Inode:
    """A file or a folder. `synced` is what `fsync` has confirmed of its bytes, `written` what they were last."""

    is_folder: bool
    written: bytes = b""
    synced: bytes | None = None


@dataclass
class Change:
    """A change of names: what is put (None: taken away) under a name of a folder, by the numbers of inodes."""

    entries: dict[tuple[int, str], int | None]


@dataclass
class Disk:
    """What has been asked of the disk below `root`, whose inode is 0."""

    root: Path
    inodes: dict[int, Inode] = field(default_factory=dict)
    names: dict[tuple[int, str], int] = field(default_factory=dict)  # as the running system sees them
    durable: dict[tuple[int, str], int] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)  # held, so that no number of an inode comes again

    def __post_init__(self) -> None:
        self.inodes[self._number(self.root)] = Inode(is_folder=True)
        self.look()

    def _number(self, path: Path) -> int:
        return path.stat().st_ino

    def look(self) -> None:
        """See which names and bytes are new since the last look."""
        seen: dict[tuple[int, str], int] = {}
        for folder, folders, files in os.walk(self.root):
            number = self._number(Path(folder))
            for name in (*folders, *files):
                path = Path(folder, name)
                inode = self._number(path)
                if inode not in self.inodes:
                    self.handles.append(os.open(path, os.O_RDONLY))
                    self.inodes[inode] = Inode(path.is_dir())
                known = self.inodes[inode]
                known.written = b"" if known.is_folder else path.read_bytes()
                seen[number, name] = inode
        entries: dict[tuple[int, str], int | None] = {key: seen.get(key) for key in seen.keys() | self.names.keys()}
        change = {key: inode for key, inode in entries.items() if self.names.get(key) != inode}
        if change:
            self.pending.append(Change(change))
        self.names = seen

    def sync(self, inode: int) -> None:
        """`fsync` of a file: its bytes; of a folder: its names, and what a rename among them changed elsewhere."""
        known = self.inodes.get(inode)
        if known is None:
            return
        if not known.is_folder:
            known.synced = known.written
            return
        left = []
        for change in self.pending:
            if any(folder == inode for folder, _ in change.entries):
                _apply(self.durable, change)
            else:
                left.append(change)
        self.pending = left

    def after_a_cut(self, rng: random.Random, keep: float | None = None) -> dict[str, bytes | None]:
        """What may be left, by path; None for a folder. `keep`: which share of the changes, drawn by default.

        Changes that touch the same folder come in their order.
        """
        names, stopped = dict(self.durable), set[int]()
        share = rng.random() if keep is None else keep
        for change in self.pending:
            folders = {folder for folder, _ in change.entries}
            if folders & stopped or rng.random() >= share:
                stopped |= folders
                continue
            _apply(names, change)
        left: dict[str, bytes | None] = {}
        self._walk(self._number(self.root), "", names, rng, left)
        return left

    def _walk(
        self, folder: int, path: str, names: dict[tuple[int, str], int], rng: random.Random, left: dict[str, Any]
    ) -> None:
        for (above, name), inode in names.items():
            if above != folder:
                continue
            known, place = self.inodes[inode], f"{path}{name}"
            left[place] = None if known.is_folder else _bytes_left(known, rng)
            if known.is_folder:
                self._walk(inode, f"{place}/", names, rng, left)


def _apply(names: dict[tuple[int, str], int], change: Change) -> None:
    for key, inode in change.entries.items():
        if inode is None:
            names.pop(key, None)
        else:
            names[key] = inode


def _bytes_left(inode: Inode, rng: random.Random) -> bytes:
    """Confirmed bytes stay; else nothing, zeros of the right length, a beginning, or all of what was written."""
    if inode.synced == inode.written:
        return inode.written
    length = len(inode.written)
    older = [inode.synced] if inode.synced is not None else []
    return rng.choice([b"", bytes(length), inode.written[: rng.randrange(length + 1)], inode.written, *older])


@contextmanager
def recorded(root: Path, monkeypatch: pytest.MonkeyPatch, at_each: Callable[[Disk], None]) -> Iterator[Disk]:
    """Within the block the calls of this process go into a Disk; `at_each`, which makes none, is called after each."""
    disk = Disk(root)
    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, _noted(disk, getattr(os, name), at_each))
        fsync = os.fsync

        def noted_fsync(handle: int) -> None:
            fsync(handle)
            disk.look()
            disk.sync(os.fstat(handle).st_ino)
            at_each(disk)

        patch.setattr(os, "fsync", noted_fsync)
        yield disk
    for handle in disk.handles:
        os.close(handle)


def _noted(disk: Disk, call: Callable[..., Any], at_each: Callable[[Disk], None]) -> Callable[..., Any]:
    def noted(*arguments: Any, **named: Any) -> Any:
        disk.look()  # what was written before the call
        result = call(*arguments, **named)
        disk.look()
        at_each(disk)
        return result

    return noted


def laid_out(left: dict[str, bytes | None], at: Path) -> Path:
    """Make what is left of a disk a folder."""
    at.mkdir()
    for name, content in left.items():
        path = at / name
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return at
