"""Parquet files of a user's own: damaged, of every type of column, with a value that stands there for many rows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.campaign.fuzzing import made, reading
from tests.campaign.fuzzing.samples import ROWS
from tests.campaign.fuzzing.target import Case, Target

NAME = "data.parquet"
TEXTS, TEAMS = [row["text"] for row in ROWS], [row["team"] for row in ROWS]


def _file(table: Any, **options: Any) -> bytes:
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(table, out, **options)
    return out.getvalue()


def _typed(kind: Any, *values: Any) -> bytes:
    """A file whose labels have a type of Arrow, and take turns."""
    import pyarrow

    labels = pyarrow.array([values[at % len(values)] for at in range(len(TEXTS))], kind)
    return _file(pyarrow.table({"text": TEXTS, "label": labels}))


def _of_every_type() -> list[bytes]:
    import pyarrow as pa

    return [
        _typed(pa.binary(), b"a", b"\xff"), _typed(pa.date32(), 1, 2), _typed(pa.null(), None),
        _typed(pa.timestamp("ns"), 2**62, 1), _typed(pa.decimal128(38, 2), 1, 2), _typed(pa.float16(), 1.0, 2.0),
        _typed(pa.list_(pa.int8()), [1], [2, 3], None), _typed(pa.dictionary(pa.int8(), pa.string()), "a", "b"),
        _typed(pa.duration("s"), 2**62, 2), _typed(pa.large_string(), "a", "b"), _typed(pa.uint64(), 2**64 - 1, 1),
        _typed(pa.map_(pa.string(), pa.int8()), [("a", 1)], []), _typed(pa.time64("ns"), 1, 2),
        _typed(pa.float64(), float("nan"), 1.5, float("inf")), _typed(pa.bool_(), True, None),
    ]  # fmt: skip


def _cases() -> SearchStrategy[Case]:
    import pyarrow

    plain, typed = _file(pyarrow.table({"text": TEXTS, "label": TEAMS})), _of_every_type()
    twice = _file(pyarrow.table([["a", "b"] * 9, ["x", "y"] * 9, ["x", "y"] * 9], names=["text", "label", "label"]))
    empty = _file(pyarrow.table({"text": pyarrow.array([], "string"), "label": pyarrow.array([], "string")}))
    once = pyarrow.DictionaryArray.from_arrays([0] * 3000, ["a" * 1_000_000])
    repeated = _file(pyarrow.table({"text": once, "label": ["x", "y", "z"] * 1000}), store_schema=False)
    odd = st.sampled_from((*typed, twice, empty, plain, repeated))
    contents = st.one_of(odd, made.mutated(plain), made.mutated(plain, *typed))
    names = st.one_of(*[st.just(NAME)] * 6, st.sampled_from(("data.csv", "data", "data.json", "data.PARQUET")))
    return st.fixed_dictionaries({"name": names, "content": contents})


def _read(case: Case, folder: Path) -> None:
    reading.write({case["name"]: case["content"]}, folder)
    reading.read_own(folder / case["name"], {}, _rows(case["content"]))


def _rows(content: bytes) -> int | None:
    """How many rows the file says that it has; None where Arrow cannot read it."""
    from pyarrow import parquet

    try:
        return int(parquet.ParquetFile(io.BytesIO(content)).metadata.num_rows)
    except Exception:
        return None


TARGETS = (Target("parquet", _cases, _read, reading.prepare),)
