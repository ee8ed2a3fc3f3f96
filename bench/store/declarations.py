"""Declarations of suites in a results folder, so that a report does not need the plugin that brought a suite.

A declaration is data: what a task's `rows` and `generate` do is code and is not kept, only whose there was (`code`).
Nothing in a results folder is ever run.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from bench.errors import UsageError
from bench.registry import declare, suites
from bench.store.aside import place_of, write_in
from bench.store.files import content_of, on_disk
from bench.store.foreign import is_name, shown_name
from bench.store.formats import raise_mark
from bench.store.seal import KEY, Spoiled, is_sealed, sealed
from bench.task import Suite
from bench.writing import write_text

CODE = "code"  # beside the suite's own fields: which of its tasks have some
LONGEST = 100  # characters of a file's name


def keep_suite(folder: Path, suite: Suite) -> None:
    """Keep how a suite is declared, in place of what was kept under its name. A full disk is a UsageError."""
    path = _place(folder, suite.name)
    code = [task.name for task in suite.tasks if task.rows is not None or task.source.generate is not None]
    text = json.dumps({**suite.model_dump(mode="json"), CODE: code}, indent=1, ensure_ascii=False)
    with on_disk(folder), suppress(OSError, ValueError):
        if _fields(path) == json.loads(text):
            return

    def write(place: Path) -> None:
        raise_mark(folder, place)
        write_text(path, sealed(text), place)

    with on_disk(folder):
        write_in(place_of(folder), write)


def kept_suites(folder: Path) -> tuple[dict[str, Suite], list[UsageError]]:
    """The suites that a results folder keeps, by name, and why the others cannot be read."""
    found: dict[str, Suite] = {}
    problems: list[UsageError] = []
    for path in sorted(folder.glob("suites/*.json")):
        try:
            suite, _ = _read(path)
            odd = [name for name in (suite.name, *(task.name for task in suite.tasks)) if not is_name(name)]
            if odd or path != _place(folder, suite.name):
                raise ValueError(f"{shown_name(odd[0] if odd else suite.name)} is not what its file can be called by")
            found[suite.name] = suite
        except Spoiled as error:
            problems.append(error)
        except (OSError, UnicodeDecodeError, RecursionError) as error:
            problems.append(UsageError(f"{path} cannot be read: {error}"))
        except ValidationError as error:
            rule = error.errors()[0]["msg"].removeprefix("Value error, ")
            problems.append(UsageError(f"{path} is no suite that can be read here: {rule}"))
        except ValueError as error:
            problems.append(UsageError(f"{path} is no suite that can be read here: {error}"))
    return found, problems


def declare_kept(folder: Path, name: str) -> None:
    """Make a suite known that a results folder keeps, unless a module has one of its name. UsageError where nothing of
    that name is kept, and where its rows need code.
    """
    path, suite, code = _place(folder, name), None, None
    with suppress(OSError, ValueError):
        suite, code = _read(path)
    if suite is not None and code == []:
        with suppress(UsageError):  # a module has one of that name
            declare(suite)
    if name in suites():
        return
    if suite is None:
        raise UsageError(f"unknown suite {name!r}, and {folder} does not keep it; --plugin FILE says what declares it")
    raise UsageError(f"suite {name!r} reads its rows by code of its own; --plugin FILE says what declares it")


def _place(folder: Path, name: str) -> Path:
    return folder / "suites" / f"{quote(name, safe='')[:LONGEST]}.json"


def _read(path: Path) -> tuple[Suite, list[str] | None]:
    """A suite, and its tasks that have code; None where the file is older than that mark."""
    kept = _fields(path)
    code = kept.pop(CODE, None) if isinstance(kept, dict) else None
    return Suite.model_validate(kept), code


def _fields(path: Path) -> Any:
    """What a file says. Spoiled where that is not what was written; one of format 3 has no checksum."""
    content = content_of(path)
    kept = json.loads(content)
    if is_sealed(content, path) and isinstance(kept, dict):
        kept.pop(KEY, None)
    return kept
