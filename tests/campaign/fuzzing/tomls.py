"""Files in TOML: of the keys of a request with all kinds of values, damaged ones, and those nested too deep."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bench.fields import Request
from tests.campaign.fuzzing import made

DEPTHS = (50, 90, 200, 1_100, 20_000)


def of(request: type[Request], values: Sequence[Any], *seeds: bytes) -> SearchStrategy[bytes]:
    """Files that say what a request can be asked; `values` are those that some of its keys take."""
    keys = st.sampled_from([*request.model_fields, *(name.replace("_", "-") for name in request.model_fields)])
    value = st.one_of(*[st.sampled_from(values)] * 3, made.json_values(6), made.numbers(), made.texts())
    changes = st.dictionaries(st.one_of(*[keys] * 9, made.texts()), value, max_size=4)
    begins = st.sampled_from(seeds)
    tables = st.builds(lambda begin, changed: _written({**tomllib.loads(begin.decode()), **changed}), begins, changes)
    deep = st.builds(
        lambda begin, key, depth, marks: begin + f"{key} = ".encode() + made.nested(depth, *marks).encode(),
        begins, keys, st.sampled_from(DEPTHS), st.sampled_from((("[", "]"), ("{a = ", "}"))),
    )  # fmt: skip
    dotted = st.builds(
        lambda begin, key, depth: begin + f"{key}{'.a' * depth} = 1\n".encode(),
        begins,
        keys,
        st.sampled_from(DEPTHS[:4]),
    )
    return st.one_of(tables, tables, made.mutated(*seeds), made.mutated(*seeds), deep, dotted)


def _written(table: dict[str, Any]) -> bytes:
    """As TOML, but for what TOML has no form of."""
    lines = (f"{json.dumps(key)} = {_value(value)}\n" for key, value in table.items())
    return "".join(lines).encode("utf-8", "surrogatepass")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value)  # nan and inf are what TOML calls them
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**4000:
        return "9" * 5000  # more digits than Python writes
    return json.dumps(value, ensure_ascii=False) if value is not None else '"null"'
