"""Code that comes with a model: whether the user trusts it, which code that is, and where it may come from. No torch
here, and nothing of a model runs here.

A checkpoint names classes of its own in `auto_map` of its config or of its tokenizer's. Nothing of them runs unless
somebody asked for it (`--trust-remote-code`); then the code is part of what the model is, and of its fingerprint.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import UnfitModel

FLAG = "--trust-remote-code"
NEEDS_CODE = f"it needs code of its own (auto_map), which runs only with {FLAG}"
NAMING = ("config.json", "tokenizer_config.json")  # files in which transformers looks for classes when we load
_REFERENCE = re.compile(r"(?:(?P<repo>[^:]+)--)?(?P<module>\w[\w-]*(?:/\w[\w-]*)*)\.(?P<name>\w+)")
_asked: list[bool] = []  # the last one counts


@contextmanager
def trusting(code: bool) -> Iterator[None]:
    """Within the block models bring their own code, or with False none does."""
    _asked.append(code)
    try:
        yield
    finally:
        _asked.pop()


def is_trusted() -> bool:
    """Whether this process has been asked to run what models bring."""
    return bool(_asked) and _asked[-1]


def brings_code(settings: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the contents of the files of NAMING name classes of the model's own."""
    return any(each.get("auto_map") for each in settings)


def check_origin(settings: Iterable[Mapping[str, Any]], repo: str | None) -> None:
    """UnfitModel unless all code is the model's own: in its folder or, of one of the hub, in its repository `repo`.

    Code of another repository would be that repository's newest, whatever it is by then.
    """
    for reference in (each for values in settings for each in _references(values.get("auto_map"))):
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise UnfitModel(f"its auto_map names {reference[:80]!r}, which is no class of a module beside it")
        other = match["repo"]
        if other is not None and other != repo:
            raise UnfitModel(
                f"its code is that of another repository, {other}, at no commit that could be pinned; copy its *.py "
                f"files into a folder of the model and take {other + '--'!r} out of auto_map"
            )


def _references(value: object) -> Iterator[str]:
    """The classes that an `auto_map` names, of whatever form it is; a tokenizer's may be lists with null in them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _references(part)
    elif value is not None:
        yield repr(value)  # which is no reference


def code_digest(folder: Path) -> str:
    """A hash of all Python files of a folder and those in it, by their places: 16 hex digits. OSError: unreadable."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape") + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def with_code(fingerprint: str, code: str) -> str:
    """The fingerprint of a model whose own code runs."""
    return hashlib.sha256(f"{fingerprint}\n{code}".encode()).hexdigest()[:16]
