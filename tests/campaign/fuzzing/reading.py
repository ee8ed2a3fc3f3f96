"""A user's own data, read as a run reads it, and the count of rows that must come out of it."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.campaign.fuzzing.target import Broken

DIVIDERS = ",;\t|"


def prepare() -> None:
    """Load what reading takes, and find methods and suites."""
    import datasets  # noqa: F401
    from pyarrow import parquet  # noqa: F401

    from bench.own import suite  # noqa: F401
    from bench.registry import methods, suites

    methods(), suites()


def arguments(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Flags of a case, whose lists are tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in flags.items()}


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files by their names below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read_own(data: Path | None, flags: Mapping[str, Any], rows: int | None = None, tasks: Sequence[str] = ()) -> None:
    """What `bench run --data` understands of it. Broken where of its rows, `rows` where that is known, some are neither
    examples nor told to be left out, or where what is told is more than a line.
    """
    from bench.own import suite
    from bench.request import RunRequest

    understood, own_tasks = suite.understood, []

    def noting(*given: Any) -> Any:
        own_tasks.append(understood(*given))
        return own_tasks[-1]

    suite.understood = noting  # this process is one case's
    arguments = {"data": data, "tasks": tuple(tasks), **flags}
    request = RunRequest.called({name: value for name, value in arguments.items() if value not in (None, ())})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, own = suite.with_own_data(request)
    if own is None:
        return
    for line in (*own.lines, *own.cautions):
        if "\n" in line or "\r" in line:
            raise Broken(f"told in more than a line: {line!r}")
    for task in own_tasks:
        _check_rows(task, own.lines, rows)


def _check_rows(own: Any, told: Sequence[str], rows: int | None) -> None:
    train = own.splits["train"]
    if rows is not None and own.num_rows != rows:
        raise Broken(f"rows are lost in reading: {rows} rows in the file, {own.num_rows} read")
    parts = own.splits.values() if own.task.source.division else [train]
    found = sum(len(part.examples) for part in parts)
    left = sum(train.left_out.values()) + sum(train.no_example.values())
    drawn = min(own.num_rows, own.task.source.most_rows or own.num_rows)
    is_row_each = own.task.kind in ("classification", "regression") and not own.task.source.split_column
    if is_row_each and found + left != drawn:
        raise Broken(f"rows are lost in dividing: {drawn} rows, {found} examples, {left} left out")
    if left and not any("left out" in line and str(count) in line for line in told
                        for count in (*train.left_out.values(), *train.no_example.values())):  # fmt: skip
        raise Broken(f"rows are left out and not told: {train.left_out} {train.no_example}, told {list(told)}")
    for split, part in own.splits.items():
        if split != "train" and part.left_out and not own.task.source.division:
            raise Broken(f"scored rows are left out: {part.left_out}")


def rows_of(name: str, content: bytes) -> int | None:
    """Rows of a file of that name, by one of the counts below; None where it may be read as something else."""
    is_json = content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[", b"PAR1"))
    if name.endswith(".csv") and not is_json:
        return rows_of_table(content)
    if name.endswith((".json", ".jsonl")):
        return rows_of_json(content)
    if name.endswith(".conll") and not is_json:
        return sentences_of_columns(content)
    return None


def rows_of_table(content: bytes) -> int | None:
    """Rows under the header of a table, as Python's own reader counts them; None where it is not plain."""
    text = _text(content)
    if text is None or "\r" in text or "sep=" in text or not text.strip():
        return None
    first = next(line for line in text.split("\n") if line.strip())
    try:
        widths = {mark: len(next(csv.reader([first], delimiter=mark), [])) for mark in DIVIDERS}
        mark = max(DIVIDERS, key=lambda each: widths[each])
        records = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
                   if row and (len(row) > 1 or row[0].strip())]  # fmt: skip
    except csv.Error:
        return None
    return len(records) - 1


def rows_of_json(content: bytes) -> int | None:
    """Rows of a list, or of lines with an object each; None where it is neither."""
    text = _text(content)
    try:
        value = json.loads(text) if text else None
        if isinstance(value, list):
            return len(value)
        lines = [json.loads(line) for line in (text or "").replace("\r", "\n").split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return None
    return len(lines) if len(lines) > 1 and all(isinstance(line, dict) for line in lines) else None


def sentences_of_columns(content: bytes) -> int | None:
    """Runs of lines with something in them; None where a line may be something else than a word."""
    text = _text(content)
    if text is None or "\r" in text or "#" in text or "-DOCSTART-" in text or "|||" in text:
        return None
    filled = [bool(line.strip(" \t")) for line in text.split("\n")]
    return sum(here and not before for before, here in zip([False, *filled], filled, strict=False))


def _text(content: bytes) -> str | None:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
