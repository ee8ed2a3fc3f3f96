"""Records, cells and suites as others may see them: no path, host or user of the machine that measured them.

A path becomes its last part. Ids stay as they are, since no place is part of one.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.cell import NOT_IN_ID, Cell
from bench.errors import UsageError
from bench.store.record import Record

_PART = r"[^\s/\\:'\"`,;()\[\]{}<>|]+"
_IN_TEXT = re.compile(  # /a/b, ~/a, ~ann/a, C:\a, file:///a: at least two parts, or below a home folder
    rf"(?<![\w.:/\\-])(?:~[\w.-]*[/\\]|[A-Za-z]:[/\\]|[/\\](?={_PART}[/\\]))(?:{_PART}[/\\])*(?P<last>{_PART})?[/\\]?"
)
_QUOTED = re.compile(r"(?P<q>['\"])(?:~|[A-Za-z]:[/\\]|/)[^'\"\n]*?(?P<last>[^'\"/\\\n]*)(?P=q)")  # spaces and all
_ALONE = re.compile(r"~|\.{1,2}[/\\]|[/\\]|[A-Za-z]:[/\\]|file://")
_URL = re.compile(r"(?P<scheme>[a-z][\w+.-]*)://")
_HOST = re.compile(r"[\w-]+-\d+-[0-9a-f]{8}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b")  # a worker (bench.store.workers); an IP
_MACHINE = re.compile(r"^(?P<system>[A-Za-z]+)(?:-.*?)??(?P<rest>-(?:x86_64|aarch64|arm64|AMD64|ppc64le|s390x)\b.*)?$")
HIDDEN = "…"
NAMES_A_HOST = ("--address", "--slurm")  # flags whose values name hosts, accounts and partitions


def cleaned_record(record: Record) -> Record:
    """UsageError where a place is part of the cell's id, so that it cannot be taken out."""
    cell = cleaned_cell(record.cell)
    known = [place for place in (record.cell.model_path, record.cell.data_path) if place]
    changes = {
        "cell": cell,
        "reason": None if record.reason is None else _text(record.reason, known),
        "traceback": None,
        "found": _tree(record.found, known),
        "provenance": _provenance(record.provenance, known),
    }
    return Record.model_validate(record.model_copy(update=changes).model_dump())


def cleaned_cell(cell: Cell) -> Cell:
    """UsageError as `cleaned_record`."""
    fields = cell.model_dump(mode="json")
    for name in sorted(fields.keys() - NOT_IN_ID):
        if _IN_TEXT.search(json.dumps(fields[name], ensure_ascii=False)):
            raise UsageError(f"cell {cell.id} has a path of this machine in its {name}, which is part of its id")
    places = {
        "model": last_part(cell.model),
        "model_path": last_part(cell.model_path),
        "data_path": None if cell.data_path is None else last_part(cell.data_path),
        "given": _tree(fields["given"], ()),
        "drawn": _tree(fields["drawn"], ()),
    }
    made = cell.changed(**places)
    assert made.id == cell.id
    return made


def cleaned_tree(tree: Any) -> Any:
    """JSON of whatever it is, each of its texts without places."""
    return _tree(tree, ())


def last_part(place: str) -> str:
    """The name of a file or folder; a hub's id, and what is no path, as it is."""
    if not _ALONE.match(place) and "\\" not in place and place.count("/") < 2:
        return place
    return re.split(r"[/\\]", place.rstrip("/\\"))[-1] or HIDDEN


def _provenance(said: dict[str, Any], known: Iterable[str]) -> dict[str, Any]:
    made = {name: value if name == "packages" else _tree(value, known) for name, value in said.items()}
    if isinstance(said.get("command"), list):
        made["command"] = _command([str(word) for word in said["command"]])
    if isinstance(said.get("platform"), str):
        found = _MACHINE.match(said["platform"])  # what is between, the system's release, may name a machine
        made["platform"] = f"{found['system']}{found['rest'] or ''}" if found else HIDDEN
    return made


def _command(words: list[str]) -> list[str]:
    """What was typed: of each part between commas and equals signs that is a path its last part, no hosts."""
    shown: list[str] = []
    for word in words:
        flag, equals, _ = word.partition("=")
        if shown and shown[-1] in NAMES_A_HOST:
            shown.append(HIDDEN)
        elif equals and flag in NAMES_A_HOST:
            shown.append(f"{flag}={HIDDEN}")
        else:
            shown.append("".join(map(_argument, re.split(r"([,=])", word))))
    return shown


def _argument(part: str) -> str:
    url = _URL.match(part)
    if url and url["scheme"] != "file":
        return f"{url['scheme']}://{HIDDEN}"
    return part if part.startswith("hub:") else last_part(part)


def _tree(tree: Any, known: Iterable[str]) -> Any:
    if isinstance(tree, dict):
        return {name: _tree(value, known) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_tree(value, known) for value in tree]
    return _text(tree, known) if isinstance(tree, str) else tree


def _text(text: str, known: Iterable[str]) -> str:
    """A text without paths: those that are `known`, the home folder, and whatever looks like one."""
    for place in sorted({*known, str(Path.home())}, key=len, reverse=True):
        if len(Path(place).parts) > 1:
            text = "".join(
                Path(part).name if part == place else part for part in re.split(rf"({re.escape(place)})(?![\w-])", text)
            )
    if platform.node():
        text = re.sub(rf"\b{re.escape(platform.node())}\b", HIDDEN, text)
    text = _HOST.sub(HIDDEN, text.replace("file://", ""))
    text = _QUOTED.sub(lambda found: f"{found['q']}{found['last'] or HIDDEN}{found['q']}", text)
    return _IN_TEXT.sub(lambda found: found["last"] or HIDDEN, text)
