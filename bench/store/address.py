"""The address of a results folder on the hub, `hub:owner/name[@revision]`: it stands wherever a folder's path may."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.errors import UsageError

SCHEME = "hub:"
FORM = "hub:owner/name or hub:owner/name@revision"
_NAME = r"[A-Za-z0-9](?:[\w.-]*\w)?"
_ADDRESS = re.compile(rf"{SCHEME}(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>[\w.-]+(?:/[\w.-]+)*))?", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Address:
    """A data-set repository of the hub; `revision` is a branch, a tag or a whole commit, None the newest."""

    repo: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str | Path) -> Self:
        """UsageError where a text has another form."""
        found = _ADDRESS.fullmatch(str(text))
        if found is None or ".." in str(text) or "--" in found["repo"] or found["repo"].endswith(".git"):
            raise UsageError(f"{str(text)!r} is no address of results on the hub; the form is {FORM}")
        return cls(found["repo"], found["revision"])

    def at(self, commit: str) -> Address:
        """The same repository at a commit, where it says the same for ever."""
        return Address(self.repo, commit)

    @property
    def is_pinned(self) -> bool:
        """Whether it names a commit."""
        return self.revision is not None and COMMIT.fullmatch(self.revision) is not None

    @property
    def folder_name(self) -> str:
        """The repository as one part of a path: `owner--name`."""
        return self.repo.replace("/", "--")

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def is_address(place: str | Path) -> bool:
    """Whether a place is one of the hub, and not a folder's path."""
    return str(place).startswith(SCHEME)
