"""Data in memory as a file: a table of pandas, polars or arrow, a data set of `datasets`, a list of dicts.

A file named by its content, so that the same rows are the same data, in another session too. It lies in the cache and
is made again when it is needed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.data.cache import cache_folder
from bench.data.located import Located
from bench.errors import UsageError
from bench.writing import telling, write_text

TABLE_FORMS = "a path, a table (pandas, polars, arrow), a datasets.Dataset, a list of dicts"
FORMS = f"{TABLE_FORMS}, or a dict of these by split"
Row = dict[str, Any]


def kept(data: Any) -> Path:
    """The file that now has the rows of `data`, of several splits that of the first, which the others lie beside.

    UsageError for what is no table of rows.
    """
    if isinstance(data, Mapping):
        texts = {str(split): _text(rows) for split, rows in data.items()}
        if not texts:
            raise UsageError("data is an empty dict; give the rows of each split, like {'train': rows, 'test': rows}")
    else:
        texts = {"": _text(data)}
    digest = hashlib.sha256("\0".join(part for pair in texts.items() for part in pair).encode()).hexdigest()[:12]
    folder = cache_folder() / "data"
    paths = [folder / f"rows-{digest}{f'-{split}' if split else ''}.jsonl" for split in texts]
    with telling("keep the data in", folder, "TUNING_BENCH_CACHE says where else"):
        for path, text in zip(paths, texts.values(), strict=True):
            if not path.is_file():
                write_text(path, text)
    return paths[0]


def located(data: Any) -> Iterator[Located]:
    """The rows of `data`, one by one where it gives them so. UsageError for what is no table, or no row."""
    rows = data if isinstance(data, Iterator | list | tuple) else _rows(data, TABLE_FORMS)
    for at, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise UsageError(f"rows[{at}] is a {type(row).__name__}, where a dict of columns should be")
        yield Located(f"rows[{at}]", _plain(row))


def _text(data: Any) -> str:
    """JSON lines. UsageError for no rows."""
    lines = [_line(_plain(row)) for row in _rows(data)]
    if not lines:
        raise UsageError("data has no rows")
    return "\n".join(lines) + "\n"


def _line(row: Any) -> str:
    """As JSON; half a pair of surrogates, which no file can hold as it is, stays escaped."""
    line = json.dumps(row, ensure_ascii=False, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(row, default=str)
    return line


def _rows(data: Any, forms: str = FORMS) -> Iterable[Row]:
    package = type(data).__module__.partition(".")[0]
    if package == "datasets" and hasattr(data, "features") and hasattr(data, "with_format"):
        return _of_dataset(data)
    if package == "pandas" and hasattr(data, "columns"):
        return _of_frame(data)
    if isinstance(data, list | tuple) and all(isinstance(row, Mapping) for row in data):
        return [dict(row) for row in data]
    if hasattr(data, "__arrow_c_stream__"):
        import pyarrow as pa

        with suppress(pa.ArrowException, TypeError, ValueError):  # a column alone has a stream too
            rows: list[Row] = pa.table(data).to_pylist()
            return rows
    raise UsageError(f"data is a {type(data).__name__}; it must be {forms}")


def _of_frame(frame: Any) -> Iterable[Row]:
    """The rows of a DataFrame without its index. UsageError where two columns have one name."""
    names = [str(name) for name in frame.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"data has two columns called {twice!r}; give one of them another name")
    columns = [frame.iloc[:, place].astype(object).tolist() for place in range(len(names))]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _of_dataset(table: Any) -> Iterable[Row]:
    """The rows of a data set, classes by their names."""
    named = {name: feature for name, feature in table.features.items() if _class_names(feature)}
    for row in table.with_format(None):
        yield {name: _by_name(value, named[name]) if name in named else value for name, value in row.items()}


def _class_names(feature: Any) -> Any:
    """The names of a feature that holds classes, or lists of them; None of another."""
    return getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)


def _by_name(value: Any, feature: Any) -> Any:
    if isinstance(value, list):
        return [_by_name(each, feature) for each in value]
    known = _class_names(feature)
    return known[value] if isinstance(value, int) and 0 <= value < len(known) else None  # -1: without a label


def _plain(value: Any) -> Any:
    """As JSON has it: what is missing is null, numbers and lists of numpy are plain ones."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if hasattr(value, "tolist"):  # of numpy
        return _plain(value.tolist())
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value
