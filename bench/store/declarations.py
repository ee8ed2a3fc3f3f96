"""Declarations of suites in a results folder, so that a report does not need the plugin that brought a suite.

A declaration is data: what a task's `rows` and `generate` do is code and is not kept. Nothing in a results folder is
ever run.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from bench.errors import UsageError
from bench.store.files import on_disk, write_text
from bench.task import Suite

LONGEST = 100  # characters of a file's name


def keep_suite(folder: Path, suite: Suite) -> None:
    """Keep how a suite is declared, in place of what was kept under its name. A full disk is a UsageError."""
    path = folder / "suites" / f"{quote(suite.name, safe='')[:LONGEST]}.json"
    text = suite.model_dump_json(indent=1) + "\n"
    with on_disk(folder):
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            write_text(path, text)


def kept_suites(folder: Path) -> tuple[dict[str, Suite], list[UsageError]]:
    """The suites that a results folder keeps, by name, and why the others cannot be read."""
    suites, problems = {}, []
    for path in sorted(folder.glob("suites/*.json")):
        try:
            suite = Suite.model_validate_json(path.read_text(encoding="utf-8"))
            suites[suite.name] = suite
        except (OSError, UnicodeDecodeError) as error:
            problems.append(UsageError(f"{path} cannot be read: {error}"))
        except ValidationError as error:
            rule = error.errors()[0]["msg"].removeprefix("Value error, ")
            problems.append(UsageError(f"{path} is no suite that can be read here: {rule}"))
    return suites, problems
